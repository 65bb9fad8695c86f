#define _GNU_SOURCE
#include "measure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) die("cannot read a clock: %m");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

uint64_t cpu_ns(pid_t pid) {
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock)) die("process %d is gone", (int)pid);
    return clock_ns(clock);
}

int64_t process_figure(pid_t pid, const char *file, const char *name) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *from = fopen(path, "r");
    if (!from) return -1;
    int64_t value = -1;
    while (value < 0 && fgets(line, sizeof line, from))
        if (!strncmp(line, name, strlen(name))) value = atoll(line + strlen(name));
    fclose(from);
    return value;
}

int64_t disk_written_bytes(const char *path) {
    struct stat status;
    if (stat(path, &status)) return -1;
    char name[64];
    snprintf(name, sizeof name, "/sys/dev/block/%u:%u/stat", major(status.st_dev), minor(status.st_dev));
    FILE *from = fopen(name, "r");
    if (!from) return -1;
    long long sectors = -1;
    // Field 7 is sectors written, always of 512 bytes (Documentation/block/stat.rst).
    if (fscanf(from, "%*s %*s %*s %*s %*s %*s %lld", &sectors) != 1) sectors = -1;
    fclose(from);
    return sectors < 0 ? -1 : sectors * 512;
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void sort_values(uint64_t *values, size_t count) { qsort(values, count, sizeof *values, compare); }

uint64_t quantile(const uint64_t *sorted, size_t count, double fraction) {
    return count ? sorted[(size_t)((double)(count - 1) * fraction)] : 0;
}
