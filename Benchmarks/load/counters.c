#include "counters.h"

#include "measure.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

volatile struct counters *counters_map(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct counters))) die("%s: %m", path);
    void *at = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) die("%s: %m", path);
    close(fd);
    return at;
}

struct counters counters_read(const char *path) {
    if (!path) return (struct counters){0};
    volatile struct counters *shared = counters_map(path);
    struct counters counters = {shared->up, shared->down};
    munmap((void *)shared, sizeof *shared);
    return counters;
}
