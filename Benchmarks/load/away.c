// `load away`: a subscriber with a kept session goes away, publishers publish at QoS 1 with a fixed number of messages
// outstanding, the subscriber returns and takes what was kept (--drain 0: it doesn't). Every acknowledged message is looked
// for.
#define _GNU_SOURCE
#include "connection.h"
#include "measure.h"
#include "message.h"
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STALL_SECONDS = 4 };

struct publisher {
    struct connection *connection;
    char topic[40];
    size_t topic_size;
    uint32_t sent, outstanding;
    struct seen acknowledged, arrived;
};

static const struct options *options;
static struct publisher *publishers;
static unsigned publisher_count;
static uint64_t sent, acknowledged, arrived, last_ns;
static bool stopping;

static void publish(struct publisher *publisher) {
    struct message message = {.publisher = (uint32_t)(publisher - publishers), .sequence = publisher->sent++};
    uint16_t identifier = (uint16_t)(message.sequence % 65535 + 1);
    uint8_t *payload = mqtt_publish(&publisher->connection->out, publisher->topic, publisher->topic_size, 1, identifier,
                                    (size_t)options->size);
    message_write_json(payload, (size_t)options->size, message);
    if (options->random) message_fill(payload, (size_t)options->size);
    connection_touch(publisher->connection);
    publisher->outstanding++;
    sent++;
}

static void publisher_received(struct connection *connection, const struct packet *packet) {
    if (packet->type != PUBACK) return;
    struct publisher *publisher = &publishers[connection->index];
    // Identifiers come round after 65,535; the one meant is the last sequence with it.
    uint32_t sequence = (publisher->sent - 1) / 65535 * 65535 + packet->identifier - 1;
    if (sequence >= publisher->sent) sequence -= 65535;
    if (!seen_add(&publisher->acknowledged, sequence)) die("acknowledged twice");
    publisher->outstanding--;
    acknowledged++;
    last_ns = loop_read_ns;
    if (!stopping && sent < (unsigned)options->messages) publish(publisher);
}

static void subscriber_received(struct connection *connection, const struct packet *packet) {
    if (packet->type != PUBLISH) return;
    struct message message;
    if (!message_read(packet->payload, packet->payload_size, &message) || message.publisher >= publisher_count)
        die("a payload that nobody sent");
    if (seen_add(&publishers[message.publisher].arrived, message.sequence)) arrived++;
    last_ns = loop_read_ns;
    if (packet->qos != 1) die("QoS %u for a message of QoS 1", packet->qos);
    mqtt_acknowledge(&connection->out, PUBACK, packet->identifier);
    connection_touch(connection);
}

static void wait_for(uint64_t *figure, uint64_t target) {
    last_ns = now_ns();
    while (*figure < target && now_ns() < last_ns + STALL_SECONDS * 1000000000ull) loop_turn(20000000);
}

/// What has been written, once the broker had time to write behind and the file system has no more of it in memory.
static int64_t settled_disk_bytes(void) {
    uint64_t until = now_ns() + (uint64_t)options->settle_ms * 1000000;
    while (now_ns() < until) loop_turn(20000000);
    int directory = open(options->disk, O_RDONLY | O_CLOEXEC);
    if (directory < 0 || syncfs(directory)) die("%s: %m", options->disk);
    close(directory);
    return disk_written_bytes(options->disk);
}

/// `after - before` for each message as JSON: null where the machine doesn't say.
static const char *per_message(char text[32], int64_t before, int64_t after) {
    if (before < 0 || after < 0) return "null";
    snprintf(text, 32, "%.1f", (double)(after - before) / (double)acknowledged);
    return text;
}

void away(const struct options *from) {
    options = from;
    publisher_count = (unsigned)options->publishers;
    publishers = calloc(publisher_count, sizeof *publishers);
    struct connection *connections = calloc(publisher_count, sizeof *connections);
    if (!publishers || !connections) die("out of memory");

    struct connection subscriber = {.received = subscriber_received, .filter = "plant/#", .qos = 1, .index = publisher_count};
    if (options->session) {
        connection_open(&subscriber, options->port, "away", false);
        loop_until_ready(&subscriber, 1);
        connection_close(&subscriber);
    }

    for (unsigned i = 0; i < publisher_count; i++) {
        char client_id[32];
        snprintf(client_id, sizeof client_id, "publisher-%u", i);
        connections[i] = (struct connection){.index = i, .received = publisher_received};
        publishers[i].connection = &connections[i];
        publishers[i].topic_size = (size_t)snprintf(publishers[i].topic, sizeof publishers[i].topic, "plant/line-b/press/sensor-%04u", i);
        connection_open(&connections[i], options->port, client_id, true);
    }
    loop_until_ready(connections, publisher_count);
    int64_t disk_before = settled_disk_bytes(), io_before = process_figure(options->pid, "io", "write_bytes:");

    uint64_t began = now_ns(), stop = began + (uint64_t)(options->seconds * 1e9), cpu = cpu_ns(options->pid);
    for (unsigned i = 0; i < publisher_count; i++)
        for (int n = 0; n < options->window; n++) publish(&publishers[i]);
    last_ns = began;
    while (acknowledged < sent && now_ns() < last_ns + STALL_SECONDS * 1000000000ull) {
        loop_turn(20000000);
        if (now_ns() >= stop) stopping = true;
    }
    if (!acknowledged) die("nothing was acknowledged");
    double count = (double)acknowledged, store_us = (double)(cpu_ns(options->pid) - cpu) / 1e3 / count;
    double acknowledged_rate = count / ((double)(last_ns - began) / 1e9);
    int64_t disk = settled_disk_bytes(), io = process_figure(options->pid, "io", "write_bytes:");

    began = now_ns(), cpu = cpu_ns(options->pid);
    double drain_rate = 0, drain_us = 0;
    if (options->drain) {
        connection_open(&subscriber, options->port, "away", false);
        subscriber.filter = NULL;  // the session has it
        wait_for(&arrived, acknowledged);
        drain_rate = (double)arrived / ((double)(last_ns - began) / 1e9);
        drain_us = arrived ? (double)(cpu_ns(options->pid) - cpu) / 1e3 / (double)arrived : 0;
    }

    char disk_text[32], io_text[32];
    uint64_t lost = 0, duplicates = 0, out_of_order = 0;
    for (unsigned i = 0; options->drain && i < publisher_count; i++) {
        for (uint32_t n = 0; n < publishers[i].sent; n++)
            lost += seen_has(&publishers[i].acknowledged, n) && !seen_has(&publishers[i].arrived, n);
        duplicates += publishers[i].arrived.duplicates;
        out_of_order += publishers[i].arrived.out_of_order;
    }
    printf("{\"acknowledged\": %lu, \"unacknowledged\": %lu, \"ack_rate\": %.0f, \"store_us\": %.3f, \"disk_bytes\": %s, "
           "\"process_bytes\": %s, \"drain_rate\": %.0f, \"drain_us\": %.3f, \"arrived\": %lu, \"lost\": %lu, "
           "\"duplicates\": %lu, \"out_of_order\": %lu}\n",
           acknowledged, sent - acknowledged, acknowledged_rate, store_us,
           per_message(disk_text, disk_before, disk), per_message(io_text, io_before, io), drain_rate, drain_us,
           arrived, lost, duplicates, out_of_order);
}
