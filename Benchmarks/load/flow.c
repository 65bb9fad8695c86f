// `load flow`: messages through a broker, every one of them counted.
//
// Closed loop (--burst): a publisher sends a burst at once, and the next when the last has been delivered to everyone and
// acknowledged. So neither broker is ever asked to hold more than the other, whatever its speed. With --lockstep the next
// burst of all publishers waits for the last burst of all.
// Open loop (--rate): message i is due at i/rate, whatever has become of those before; its latency counts from when it was
// due, so that a stall of the broker is seen by every message that it delayed (no coordinated omission).
#include "connection.h"
#include "counters.h"
#include "measure.h"
#include "message.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

enum { STALL_SECONDS = 5, MOST_LATENCIES = 1 << 20 };

struct publisher {
    struct connection *connection;
    char topic[64];
    size_t topic_size;
    uint32_t sent, unacknowledged, undelivered;
};

static const struct options *options;
static struct connection *connections;  // publishers, then subscribers
static struct publisher *publishers;
static struct seen *seen;               // of publisher p at its n-th subscriber: seen[p * copies + n]
static unsigned publisher_count, subscriber_count, copies;
static uint64_t sent, delivered, unacknowledged, undelivered, last_progress_ns;
static unsigned probes_arrived;
static bool stopping;

static uint64_t *latencies;
static size_t latency_count;
static uint64_t measured_from_ns;

static void publish(struct publisher *publisher, uint32_t sequence, uint64_t due_ns) {
    struct message message = {
        .publisher = sequence == PROBE ? PROBE : (uint32_t)(publisher - publishers), .sequence = sequence, .due_ns = due_ns};
    uint16_t identifier = (uint16_t)(sequence % 65535 + 1);
    uint8_t *payload = mqtt_publish(&publisher->connection->out, publisher->topic, publisher->topic_size, options->qos,
                                    identifier, (size_t)options->size);
    if (options->json) message_write_json(payload, (size_t)options->size, message);
    else message_write(payload, (size_t)options->size, message);
    connection_touch(publisher->connection);
    if (options->qos) publisher->unacknowledged++, unacknowledged++;
}

static void publish_next(struct publisher *publisher, uint64_t due_ns) {
    publish(publisher, publisher->sent++, due_ns);
    publisher->undelivered += copies;
    undelivered += copies;
    sent++;
}

static void burst(struct publisher *publisher) {
    for (int i = 0; i < options->burst; i++) publish_next(publisher, 0);
}

/// The next burst, if this was the last thing the one before was waiting for.
static void settled(struct publisher *publisher) {
    if (stopping || !options->burst || !measured_from_ns) return;
    if (!options->lockstep) {
        if (!publisher->unacknowledged && !publisher->undelivered) burst(publisher);
    } else if (!unacknowledged && !undelivered) {
        for (unsigned i = 0; i < publisher_count; i++) burst(&publishers[i]);
    }
}

static void publisher_received(struct connection *connection, const struct packet *packet) {
    if (packet->type == PUBREC) {
        mqtt_acknowledge(&connection->out, PUBREL, packet->identifier);
        return connection_touch(connection);
    }
    if (packet->type != PUBACK && packet->type != PUBCOMP) return;
    struct publisher *publisher = &publishers[connection->index];
    publisher->unacknowledged--;
    unacknowledged--;
    last_progress_ns = loop_read_ns;
    settled(publisher);
}

static void arrived(unsigned subscriber, const struct packet *packet) {
    struct message message;
    if (!message_read(packet->payload, packet->payload_size, &message)) die("a payload that nobody sent");
    if (message.publisher == PROBE) {
        probes_arrived++;
        return;
    }
    if (message.publisher >= publisher_count) die("a message from publisher %u of none", message.publisher);
    unsigned copy = publisher_count == 1 ? subscriber : 0;
    if (!seen_add(&seen[message.publisher * copies + copy], message.sequence)) return;

    struct publisher *publisher = &publishers[message.publisher];
    delivered++;
    publisher->undelivered--;
    undelivered--;
    last_progress_ns = loop_read_ns;
    if (options->rate && message.due_ns >= measured_from_ns && latency_count < MOST_LATENCIES)
        latencies[latency_count++] = loop_read_ns - message.due_ns;
    settled(publisher);
}

static void subscriber_received(struct connection *connection, const struct packet *packet) {
    if (packet->type == PUBLISH) arrived(connection->index - publisher_count, packet);
    enum packet_type answer = packet->type == PUBREL ? PUBCOMP : packet->qos == 1 ? PUBACK : PUBREC;
    if (packet->type != PUBREL && (packet->type != PUBLISH || !packet->qos)) return;
    mqtt_acknowledge(&connection->out, answer, packet->identifier);
    connection_touch(connection);
}

static void connect_all(void) {
    bool in = !strcmp(options->topology, "in"), out = !strcmp(options->topology, "out");
    if (!in && !out && strcmp(options->topology, "pairs")) die("no topology %s", options->topology);
    publisher_count = out ? 1 : (unsigned)options->clients;
    subscriber_count = in ? 1 : (unsigned)options->clients;
    copies = out ? subscriber_count : 1;

    unsigned all = publisher_count + subscriber_count;
    connections = calloc(all, sizeof *connections);
    publishers = calloc(publisher_count, sizeof *publishers);
    seen = calloc((size_t)publisher_count * copies, sizeof *seen);
    latencies = calloc(MOST_LATENCIES, sizeof *latencies);
    if (!connections || !publishers || !seen || !latencies) die("out of memory");

    int subscribe_port = options->subscribe_port ? options->subscribe_port : options->port;
    for (unsigned i = 0; i < all; i++) {
        struct connection *connection = &connections[i];
        char client_id[32];
        snprintf(client_id, sizeof client_id, "flow-%u", i);
        connection->index = i;
        if (i < publisher_count) {
            struct publisher *publisher = &publishers[i];
            publisher->connection = connection;
            publisher->topic_size = (size_t)snprintf(publisher->topic, sizeof publisher->topic,
                                                     "plant/line-%c/sensor-%03u", 'a' + (char)(i % 4), i);
            connection->received = publisher_received;
        } else {
            connection->received = subscriber_received;
            connection->filter = in ? "plant/#" : publishers[out ? 0 : i - publisher_count].topic;
            connection->qos = options->qos;
        }
        connection_open(connection, i < publisher_count ? options->port : subscribe_port, client_id, true);
    }
    loop_until_ready(connections, all);
}

/// Waits until the way through a bridge is open: probes are sent until all that were sent have arrived.
static void probe(void) {
    unsigned probes = 0;
    uint64_t deadline = now_ns() + 30000000000u, next = 0, quiet = 0;
    while (!quiet || now_ns() < quiet) {
        if (now_ns() > deadline) die("no message came through in 30 s");
        if (!probes_arrived && now_ns() > next) {
            publish(&publishers[0], PROBE, 0);
            probes++;
            next = now_ns() + 200000000;
        }
        if (probes_arrived && !unacknowledged && !quiet) quiet = now_ns() + 1500000000;
        loop_turn(10000000);
    }
}

void flow(const struct options *from) {
    options = from;
    connect_all();
    if (options->probe) probe();

    uint64_t began = now_ns(), warm = began + (uint64_t)(options->warm_seconds * 1e9);
    uint64_t stop = warm + (uint64_t)(options->seconds * 1e9);
    struct counters wire = counters_read(options->counters);
    uint64_t cpu = cpu_ns(options->pid), own_cpu = cpu_ns(0), delivered_before = 0, due = 0;
    bool measuring = options->warm_seconds == 0;
    measured_from_ns = warm;
    last_progress_ns = began;
    if (options->burst)
        for (unsigned i = 0; i < publisher_count; i++) burst(&publishers[i]);

    for (uint64_t now = began; !stopping || undelivered || unacknowledged;) {
        for (; options->rate && !stopping && began + due * 1000000000 / (unsigned)options->rate <= now; due++)
            publish_next(&publishers[due % publisher_count], began + due * 1000000000 / (unsigned)options->rate);
        // In open loop the wait is short: a generator that sleeps adds its own waking to the latency.
        loop_turn(options->rate ? 0 : 20000000);
        now = now_ns();
        if (!measuring && now >= warm) {
            measuring = true;
            cpu = cpu_ns(options->pid), own_cpu = cpu_ns(0);
            delivered_before = delivered;
        }
        if (!stopping && (now >= stop || (options->messages && sent >= (unsigned)options->messages))) stopping = true;
        if (now > last_progress_ns + STALL_SECONDS * 1000000000ull) break;
    }
    double own_us = (double)(cpu_ns(0) - own_cpu) / 1e3, us = (double)(cpu_ns(options->pid) - cpu) / 1e3;
    double seconds = (double)(last_progress_ns - warm) / 1e9;

    struct counters wire_after = wire;
    if (options->counters) {
        uint64_t quiet = now_ns() + 300000000;  // acknowledgements of the last messages
        while (now_ns() < quiet) loop_turn(10000000);
        wire_after = counters_read(options->counters);
    }

    uint64_t duplicates = 0, out_of_order = 0, count = delivered - delivered_before;
    for (size_t i = 0; i < (size_t)publisher_count * copies; i++)
        duplicates += seen[i].duplicates, out_of_order += seen[i].out_of_order;
    if (!count) die("no message arrived");
    sort_values(latencies, latency_count);
    printf("{\"delivered\": %lu, \"rate\": %.0f, \"cpu_us\": %.4f, \"load_us\": %.4f, \"lost\": %lu, \"duplicates\": %lu, "
           "\"out_of_order\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"worst_us\": %.1f, \"wire_up\": %.2f, "
           "\"wire_down\": %.2f, \"wire\": %.2f}\n",
           delivered, (double)count / seconds, us / (double)count, own_us / (double)count, undelivered, duplicates,
           out_of_order, (double)quantile(latencies, latency_count, 0.5) / 1e3,
           (double)quantile(latencies, latency_count, 0.99) / 1e3, (double)quantile(latencies, latency_count, 1) / 1e3,
           (double)(wire_after.up - wire.up) / (double)count, (double)(wire_after.down - wire.down) / (double)count,
           (double)(wire_after.up - wire.up + wire_after.down - wire.down) / (double)count);
}
