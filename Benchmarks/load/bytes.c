#include "bytes.h"

#include "measure.h"

#include <stdlib.h>

uint8_t *bytes_reserve(struct bytes *bytes, size_t count) {
    if (bytes->size + count > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 256;
        while (capacity < bytes->size + count) capacity *= 2;
        bytes->at = realloc(bytes->at, capacity);
        if (!bytes->at) die("out of memory");
        bytes->capacity = capacity;
    }
    return bytes->at + bytes->size;
}

void bytes_append(struct bytes *bytes, const void *from, size_t count) {
    memcpy(bytes_reserve(bytes, count), from, count);
    bytes->size += count;
}

void bytes_drop_first(struct bytes *bytes, size_t count) {
    bytes->size -= count;
    memmove(bytes->at, bytes->at + count, bytes->size);
}

void bytes_free(struct bytes *bytes) {
    free(bytes->at);
    *bytes = (struct bytes){0};
}
