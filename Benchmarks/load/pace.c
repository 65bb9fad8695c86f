// `load pace`: publishers at a steady rate that care for nothing but their acknowledgements: --clients sensors, --rate messages
// a second among them, JSON, for --seconds. Prints what was sent and acknowledged.
#include "connection.h"
#include "measure.h"
#include "message.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t acknowledged;

static void received(struct connection *connection, const struct packet *packet) {
    (void)connection;
    if (packet->type == PUBACK) acknowledged++;
}

void pace(const struct options *options) {
    unsigned count = (unsigned)options->clients;
    struct connection *connections = calloc(count, sizeof *connections);
    if (!connections) die("out of memory");
    for (unsigned i = 0; i < count; i++) {
        char client_id[32];
        snprintf(client_id, sizeof client_id, "pace-%u", i);
        connections[i] = (struct connection){.index = i, .received = received};
        connection_open(&connections[i], options->port, client_id, true);
    }
    loop_until_ready(connections, count);

    uint64_t began = now_ns(), stop = began + (uint64_t)(options->seconds * 1e9), now = began, sent = 0, quiet = 0;
    while (now < stop || (options->qos && acknowledged < sent && now < quiet)) {
        while (now < stop && sent * 1000000000ull / (uint64_t)options->rate <= now - began) {
            uint32_t publisher = (uint32_t)(sent % count), sequence = (uint32_t)(sent / count);
            char topic[64];
            int size = snprintf(topic, sizeof topic, "plant/line-b/press/sensor-%04u", publisher);
            struct message message = {.publisher = publisher, .sequence = sequence};
            message_write_json(
                mqtt_publish(&connections[publisher].out, topic, (size_t)size, options->qos,
                             (uint16_t)(sequence % 65535 + 1), (size_t)options->size),
                (size_t)options->size, message);
            connection_touch(&connections[publisher]);
            sent++;
            quiet = now + 3000000000ull;
        }
        loop_turn(500000);
        now = now_ns();
    }
    printf("{\"sent\": %lu, \"acknowledged\": %lu}\n", sent, acknowledged);
}
