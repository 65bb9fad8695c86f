// What a message carries so that it can be recognised when it arrives, and the record of what has arrived.
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SMALLEST_MESSAGE = 20, PROBE = 0xffffffff };

struct message {
    uint32_t publisher, sequence;  // sequence counts from 0 for each publisher
    uint64_t due_ns;               // when it was to be sent; 0 in JSON
};

/// `size` bytes: the numbers, then bytes that don't compress to nothing.
void message_write(uint8_t *to, size_t size, struct message message);
/// `size` bytes of JSON as a sensor sends it: the numbers in its id, the time, and values that walk at random.
void message_write_json(uint8_t *to, size_t size, struct message message);
/// Puts hexadecimal digits, new ones each time, where the JSON message has spaces: LZ4 finds little in them.
void message_fill(uint8_t *to, size_t size);
/// False if the payload is neither.
bool message_read(const uint8_t *from, size_t size, struct message *message);

/// Which numbers of one publisher have been seen (or acknowledged).
struct seen {
    uint8_t *bits;
    size_t capacity;     // bytes
    uint32_t count, next;
    uint32_t duplicates, out_of_order;
};

/// Marks the number; false if it was marked before.
bool seen_add(struct seen *seen, uint32_t number);
bool seen_has(const struct seen *seen, uint32_t number);

#endif
