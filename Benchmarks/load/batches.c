// `load batches`: batches of messages from many nodes, as their uplinks send them (docs/formats.md), into a receiver.
//
// Each node's LZ4 frame is made once, with --messages JSON messages of --size bytes; what changes from batch to batch is
// the number in its header. Every node keeps --window batches unacknowledged. With --topology out one subscriber gets every
// message, at --qos.
#include "connection.h"
#include "measure.h"
#include "message.h"
#include "options.h"

#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>

// Messages: what is on its way to the subscriber has to fit the receiver's `store.memory`.
enum { MOST_BEHIND = 20000 };

struct node {
    struct connection *connection;
    char name[32], topic[64];
    struct bytes frame;      // the LZ4 frame of its packets
    uint64_t next;           // number of the next message
    unsigned unacknowledged;
};

static const struct options *options;
static struct node *nodes;
static uint64_t acknowledged, arrived, last_progress_ns;
static bool stopping;
static char epoch[17];  // a new run each time: nothing is a duplicate

/// A User Property: identifier, then name and value with their lengths.
static void property(struct bytes *to, const char *name, const char *value) {
    size_t name_size = strlen(name), value_size = strlen(value);
    uint8_t *at = bytes_reserve(to, 5 + name_size + value_size);
    *at++ = 0x26;
    *at++ = (uint8_t)(name_size >> 8), *at++ = (uint8_t)name_size;
    memcpy(at, name, name_size), at += name_size;
    *at++ = (uint8_t)(value_size >> 8), *at++ = (uint8_t)value_size;
    memcpy(at, value, value_size);
    to->size += 5 + name_size + value_size;
}

/// A length of 7 bits a byte.
static void length(struct bytes *to, size_t value) {
    uint8_t *at = bytes_reserve(to, 4), *from = at;
    do {
        uint8_t digit = value & 127;
        value >>= 7;
        *at++ = value ? digit | 128 : digit;
    } while (value);
    to->size += (size_t)(at - from);
}

/// An MQTT 5 PUBLISH at QoS 1 with `t` and `via`.
static void packet(struct bytes *to, const struct node *node, unsigned index, uint32_t sequence) {
    struct bytes properties = {0};
    property(&properties, "t", "1732413600123");
    property(&properties, "via", node->name);
    char topic[80];
    size_t topic_size = (size_t)snprintf(topic, sizeof topic, "plant/%s/sensor-%02u", node->name, sequence % 20);
    size_t payload_size = (size_t)options->size;
    struct bytes head = {0};
    length(&head, properties.size);
    size_t remaining = 2 + topic_size + 2 + head.size + properties.size + payload_size;
    *bytes_reserve(to, 1) = 0x32, to->size++;
    length(to, remaining);
    uint8_t *at = bytes_reserve(to, 4 + topic_size);
    at[0] = (uint8_t)(topic_size >> 8), at[1] = (uint8_t)topic_size;
    memcpy(at + 2, topic, topic_size);
    at[2 + topic_size] = 0, at[3 + topic_size] = 1;
    to->size += 4 + topic_size;
    bytes_append(to, head.at, head.size);
    bytes_append(to, properties.at, properties.size);
    message_write_json(bytes_reserve(to, payload_size), payload_size,
                       (struct message){.publisher = index, .sequence = sequence});
    to->size += payload_size;
    bytes_free(&head);
    bytes_free(&properties);
}

static void make_frame(struct node *node, unsigned index) {
    struct bytes packets = {0};
    for (int i = 0; i < options->messages; i++) packet(&packets, node, index, (uint32_t)i);
    LZ4F_preferences_t preferences = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    size_t bound = LZ4F_compressFrameBound(packets.size, &preferences);
    uint8_t *to = bytes_reserve(&node->frame, bound);
    size_t size = LZ4F_compressFrame(to, bound, packets.at, packets.size, &preferences);
    if (LZ4F_isError(size)) die("LZ4: %s", LZ4F_getErrorName(size));
    node->frame.size = size;
    bytes_free(&packets);
}

static void send_batch(struct node *node) {
    static struct bytes properties, header;
    char number[24];
    properties.size = header.size = 0;
    property(&properties, "v", "1");
    property(&properties, "node", node->name);
    property(&properties, "route", "cloud/plant");
    property(&properties, "epoch", epoch);
    snprintf(number, sizeof number, "%lu", node->next);
    property(&properties, "seq", number);
    property(&properties, "at", "1732413601000");
    length(&header, properties.size);
    bytes_append(&header, properties.at, properties.size);

    uint16_t identifier = (uint16_t)(node->next / (unsigned)options->messages % 65535 + 1);
    uint8_t *at = mqtt_publish(&node->connection->out, node->topic, strlen(node->topic), 1, identifier,
                               8 + header.size + node->frame.size);
    uint32_t magic = 0x184D2A50, size = (uint32_t)header.size;
    memcpy(at, &magic, 4), memcpy(at + 4, &size, 4);
    memcpy(at + 8, header.at, header.size);
    memcpy(at + 8 + header.size, node->frame.at, node->frame.size);
    connection_touch(node->connection);
    node->next += (unsigned)options->messages;
    node->unacknowledged++;
}

static void received(struct connection *connection, const struct packet *packet) {
    if (packet->type != PUBACK) return;
    struct node *node = &nodes[connection->index];
    node->unacknowledged--;
    acknowledged++;
    last_progress_ns = loop_read_ns;
}

/// Fills every node's window, unless the subscriber is far behind: the receiver acknowledges before it delivers.
static void send_batches(unsigned count, bool subscribes) {
    for (unsigned i = 0; i < count; i++)
        while (nodes[i].unacknowledged < (unsigned)options->window) {
            if (subscribes && acknowledged * (unsigned)options->messages > arrived + MOST_BEHIND) return;
            send_batch(&nodes[i]);
        }
}

static void subscriber_received(struct connection *connection, const struct packet *packet) {
    if (packet->type != PUBLISH) return;
    arrived++;
    last_progress_ns = loop_read_ns;
    if (packet->qos != 1) return;
    mqtt_acknowledge(&connection->out, PUBACK, packet->identifier);
    connection_touch(connection);
}

void batches(const struct options *from) {
    options = from;
    unsigned count = (unsigned)options->clients;
    if (options->messages < 1 || options->window < 1 || !options->disk)
        die("batches needs --messages (a batch), --window and --disk (a path on the broker's)");
    bool subscribes = !strcmp(options->topology, "out");
    struct connection *connections = calloc(count + 1, sizeof *connections);
    nodes = calloc(count, sizeof *nodes);
    if (!connections || !nodes) die("out of memory");
    snprintf(epoch, sizeof epoch, "%016lx", now_ns());
    for (unsigned i = 0; i < count; i++) {
        struct node *node = &nodes[i];
        snprintf(node->name, sizeof node->name, "node-%u", i);
        // The receiver doesn't look at the shard.
        snprintf(node->topic, sizeof node->topic, "roost/batch/00/%s", node->name);
        node->connection = &connections[i];
        node->next = 1;
        make_frame(node, i);
        connections[i].index = i;
        connections[i].received = received;
        connection_open(&connections[i], options->port, node->name, true);
    }
    if (subscribes) {
        connections[count] = (struct connection){.filter = "plant/#", .qos = options->qos, .received = subscriber_received};
        connection_open(&connections[count], options->port, "subscriber", true);
    }
    loop_until_ready(connections, count + subscribes);

    uint64_t began = now_ns(), stop = began + (uint64_t)(options->seconds * 1e9);
    uint64_t cpu = cpu_ns(options->pid), own = cpu_ns(0);
    int64_t written = disk_written_bytes(options->disk);
    uint64_t open = 1;
    last_progress_ns = began;
    while (!stopping || open) {
        if (!stopping) send_batches(count, subscribes);
        loop_turn(20000000);
        stopping = stopping || now_ns() >= stop;
        open = 0;
        for (unsigned i = 0; i < count; i++) open += nodes[i].unacknowledged;
        if (subscribes && arrived < acknowledged * (unsigned)options->messages) open++;
        if (now_ns() > last_progress_ns + 10000000000u) die("nothing was acknowledged for 10 s");
    }
    double messages = (double)acknowledged * options->messages, seconds = (double)(last_progress_ns - began) / 1e9;
    double bytes = 0;
    for (unsigned i = 0; i < count; i++) bytes += (double)nodes[i].frame.size / options->messages / count;
    printf("{\"batches\": %lu, \"messages\": %.0f, \"rate\": %.0f, \"cpu_us\": %.4f, \"load_us\": %.4f, \"wire\": %.1f, "
           "\"disk\": %.1f}\n",
           acknowledged, messages, messages / seconds, (double)(cpu_ns(options->pid) - cpu) / 1e3 / messages,
           (double)(cpu_ns(0) - own) / 1e3 / messages, bytes,
           (double)(disk_written_bytes(options->disk) - written) / messages);
}
