// A growing run of bytes: what a connection still has to send, or the packet it has received half of.
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t *at;
    size_t size, capacity;
};

/// Room for `count` more bytes at the end; the caller fills them and adds to `size`.
uint8_t *bytes_reserve(struct bytes *bytes, size_t count);
void bytes_append(struct bytes *bytes, const void *from, size_t count);
void bytes_drop_first(struct bytes *bytes, size_t count);
void bytes_free(struct bytes *bytes);

#endif
