#include "message.h"

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t random_state = 2463534242u;

static uint32_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

void message_write(uint8_t *to, size_t size, struct message message) {
    static uint8_t filler[1 << 16];
    if (!filler[0]) {
        for (size_t i = 0; i < sizeof filler; i++) filler[i] = (uint8_t)(next_random() >> 8);
        filler[0] = 1;
    }
    memcpy(to, "load", 4);
    memcpy(to + 4, &message.publisher, 4);
    memcpy(to + 8, &message.sequence, 4);
    memcpy(to + 12, &message.due_ns, 8);
    memcpy(to + SMALLEST_MESSAGE, filler, size - SMALLEST_MESSAGE);
}

/// A value near `middle` that moves by a little each time, one for each publisher.
static double walk(uint32_t publisher, unsigned which, double middle, double step) {
    static double moved[256][4];
    double *value = &moved[publisher % 256][which];
    *value += ((double)(next_random() % 2001) / 1000 - 1) * step;
    return middle + *value;
}

void message_write_json(uint8_t *to, size_t size, struct message message) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    uint32_t publisher = message.publisher;
    char text[512];
    int length = snprintf(
        text, sizeof text,
        "{\"id\":\"%010u-%010u\",\"timestamp\":%lld%03ld,\"temperature\":%.2f,\"pressure\":%.3f,\"rpm\":%.0f,"
        "\"current\":%.3f,\"state\":\"running\"",
        publisher, message.sequence, (long long)time.tv_sec, time.tv_nsec / 1000000, walk(publisher, 0, 61.5, 0.1),
        walk(publisher, 1, 4.25, 0.01), walk(publisher, 2, 1480, 2), walk(publisher, 3, 12.8, 0.02));
    if ((size_t)length >= size) die("%zu bytes are too few for the JSON message", size);
    memset(to, ' ', size);
    memcpy(to, text, (size_t)length);
    to[size - 1] = '}';
}

void message_fill(uint8_t *to, size_t size) {
    for (size_t i = size - 2; i && to[i] == ' '; i--) to[i] = (uint8_t)"0123456789abcdef"[next_random() >> 11 & 15];
}

static bool read_digits(const uint8_t *from, uint32_t *value) {
    uint64_t sum = 0;
    for (int i = 0; i < 10; i++) {
        if (from[i] < '0' || from[i] > '9') return false;
        sum = sum * 10 + (uint64_t)(from[i] - '0');
    }
    *value = (uint32_t)sum;
    return true;
}

bool message_read(const uint8_t *from, size_t size, struct message *message) {
    if (size < SMALLEST_MESSAGE) return false;
    if (!memcmp(from, "load", 4)) {
        memcpy(&message->publisher, from + 4, 4);
        memcpy(&message->sequence, from + 8, 4);
        memcpy(&message->due_ns, from + 12, 8);
        return true;
    }
    message->due_ns = 0;
    return size > 28 && from[0] == '{' && read_digits(from + 7, &message->publisher)
        && read_digits(from + 18, &message->sequence);
}

bool seen_has(const struct seen *seen, uint32_t number) {
    return number / 8 < seen->capacity && seen->bits[number / 8] >> number % 8 & 1;
}

bool seen_add(struct seen *seen, uint32_t number) {
    if (seen_has(seen, number)) {
        seen->duplicates++;
        return false;
    }
    if (number / 8 >= seen->capacity) {
        size_t capacity = seen->capacity ? seen->capacity : 1024;
        while (number / 8 >= capacity) capacity *= 2;
        seen->bits = realloc(seen->bits, capacity);
        if (!seen->bits) die("out of memory");
        memset(seen->bits + seen->capacity, 0, capacity - seen->capacity);
        seen->capacity = capacity;
    }
    seen->bits[number / 8] |= (uint8_t)(1 << number % 8);
    seen->count++;
    if (number < seen->next) seen->out_of_order++;
    else seen->next = number + 1;
    return true;
}
