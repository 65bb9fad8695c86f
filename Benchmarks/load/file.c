// `load file`: the least that keeping messages safe can cost: a plain file, one write and fdatasync for each group.
#include "measure.h"
#include "message.h"
#include "mqtt.h"
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void file(const struct options *options) {
    int fd = open(options->disk, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) die("%s: %m", options->disk);
    fsync(fd);
    int64_t disk = disk_written_bytes(options->disk);
    uint64_t began = now_ns(), cpu = cpu_ns(0), last = began;
    uint64_t stop = began + (uint64_t)(options->seconds * 1e9), count = 0, bytes = 0;
    struct bytes group = {0};
    while ((last = now_ns()) < stop) {
        group.size = 0;
        for (int i = 0; i < options->group; i++, count++) {
            struct message message = {.publisher = (uint32_t)i, .sequence = (uint32_t)count};
            message_write_json(mqtt_publish(&group, "plant/sensor-000", 16, 1, 1, (size_t)options->size),
                               (size_t)options->size, message);
        }
        if (write(fd, group.at, group.size) != (ssize_t)group.size || fdatasync(fd)) die("%s: %m", options->disk);
        bytes += group.size;
    }
    if (disk >= 0) disk = disk_written_bytes(options->disk) - disk;
    close(fd);
    unlink(options->disk);
    printf("{\"ack_rate\": %.0f, \"store_us\": %.3f, \"disk_bytes\": %.1f, \"process_bytes\": %.1f}\n",
           (double)count / ((double)(last - began) / 1e9), (double)(cpu_ns(0) - cpu) / 1e3 / (double)count,
           (double)disk / (double)count, (double)bytes / (double)count);
}
