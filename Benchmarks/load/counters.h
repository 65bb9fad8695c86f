// Two counters in a file that one process adds to and others read: bytes the relay passed in each direction.
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

struct counters {
    uint64_t up, down;
};

/// The counters in the file, shared; the file is made if it isn't there.
volatile struct counters *counters_map(const char *path);
/// What they are now; zeros if `path` is NULL.
struct counters counters_read(const char *path);

#endif
