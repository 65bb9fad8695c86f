// Clocks and counters: what a process used of the processor, of memory and of the disk.
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <sys/types.h>

/// Says what went wrong on standard error and leaves with 1.
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

/// CLOCK_MONOTONIC in nanoseconds.
uint64_t now_ns(void);

/// Processor time of a whole process, all threads, in nanoseconds: its own clock (clock_getcpuclockid), which counts
/// exactly what the scheduler charged, not ticks. 0 is this process. Dies if the process is gone.
uint64_t cpu_ns(pid_t pid);

/// `VmRSS:`, `RssAnon:` of /proc/PID/status in KiB; `write_bytes:` of /proc/PID/io in bytes. -1 if unreadable.
int64_t process_figure(pid_t pid, const char *file, const char *name);

/// Bytes written to the block device under the file system of `path`, by everyone; -1 if it has none.
int64_t disk_written_bytes(const char *path);

/// Sorts; then the value below which `fraction` of them lie.
void sort_values(uint64_t *values, size_t count);
uint64_t quantile(const uint64_t *sorted, size_t count, double fraction);

#endif
