// `load collect`: a subscriber that counts what comes until --messages have, or none came for --seconds. Prints the rate from
// the first to the last, and what the broker at --pid used of the processor a message.
#include "connection.h"
#include "measure.h"
#include "options.h"

#include <stdio.h>

static uint64_t count, first_ns, last_ns;

static void received(struct connection *connection, const struct packet *packet) {
    if (packet->type != PUBLISH) return;
    count++;
    if (!first_ns) first_ns = loop_read_ns;
    last_ns = loop_read_ns;
    if (!packet->qos) return;
    mqtt_acknowledge(&connection->out, PUBACK, packet->identifier);
    connection_touch(connection);
}

void collect(const struct options *options) {
    struct connection subscriber = {.received = received, .filter = "plant/#", .qos = options->qos};
    connection_open(&subscriber, options->port, "collect", true);
    loop_until_ready(&subscriber, 1);
    uint64_t cpu = options->pid ? cpu_ns(options->pid) : 0;
    printf("ready\n");
    fflush(stdout);
    uint64_t patience = (uint64_t)(options->seconds * 1e9), began = now_ns();
    while (count < (uint64_t)options->messages && now_ns() < (last_ns ? last_ns : began) + patience) loop_turn(20000000);
    double seconds = (double)(last_ns - first_ns) / 1e9;
    printf("{\"arrived\": %lu, \"rate\": %.0f, \"cpu_us\": %.3f}\n", count, seconds > 0 ? (double)count / seconds : 0,
           options->pid && count ? (double)(cpu_ns(options->pid) - cpu) / 1e3 / (double)count : 0);
}
