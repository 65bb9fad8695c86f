// `load file`: the least that keeping messages safe can cost: a plain file, one write and fdatasync for each group. The
// messages are made beforehand: their making is no part of it. --capture keeps them, for store-bench.
#include "measure.h"
#include "message.h"
#include "mqtt.h"
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MADE = 1 << 14 };

void file(const struct options *options) {
    struct bytes made = {0};
    for (uint32_t i = 0; i < MADE; i++) {
        struct message message = {.publisher = i % 64, .sequence = i / 64};
        message_write_json(mqtt_publish(&made, "plant/line-b/press/sensor-0000", 30, 1, 1, (size_t)options->size),
                           (size_t)options->size, message);
    }
    if (options->capture) {
        FILE *copy = fopen(options->capture, "w");
        if (!copy || fwrite(made.at, 1, made.size, copy) != made.size || fclose(copy)) die("%s: %m", options->capture);
    }
    size_t each = made.size / MADE, at = 0, group = (size_t)options->group;
    int fd = open(options->disk, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) die("%s: %m", options->disk);
    fsync(fd);
    int64_t disk = disk_written_bytes(options->disk);
    uint64_t began = now_ns(), cpu = cpu_ns(0), last = began;
    uint64_t stop = began + (uint64_t)(options->seconds * 1e9), count = 0, bytes = 0;
    while ((last = now_ns()) < stop) {
        if (at + group > MADE) at = 0;
        ssize_t size = (ssize_t)(group * each);
        if (write(fd, made.at + at * each, (size_t)size) != size || fdatasync(fd)) die("%s: %m", options->disk);
        at += group, count += group, bytes += (uint64_t)size;
    }
    if (disk >= 0) disk = disk_written_bytes(options->disk) - disk;
    close(fd);
    unlink(options->disk);
    printf("{\"ack_rate\": %.0f, \"store_us\": %.3f, \"disk_bytes\": %.1f, \"process_bytes\": %.1f}\n",
           (double)count / ((double)(last - began) / 1e9), (double)(cpu_ns(0) - cpu) / 1e3 / (double)count,
           (double)disk / (double)count, (double)bytes / (double)count);
}
