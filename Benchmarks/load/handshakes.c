// `load handshakes`: clients that connect over TLS, say CONNECT, get their CONNACK and go, some at a time.
#include "connection.h"
#include "measure.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 16 };

static void received(struct connection *connection, const struct packet *packet) {
    (void)packet;
    die("connection %u received something", connection->index);
}

void handshakes(const struct options *options) {
    struct connection connections[AT_ONCE] = {0};
    unsigned opened = 0, done = 0;
    uint64_t began = now_ns(), stop = began + (uint64_t)(options->seconds * 1e9);
    uint64_t cpu = cpu_ns(options->pid), own_cpu = cpu_ns(0);
    for (unsigned i = 0; i < AT_ONCE; i++) connections[i].fd = -1;
    for (bool open = true; open;) {
        open = false;
        for (unsigned i = 0; i < AT_ONCE; i++) {
            struct connection *connection = &connections[i];
            if (connection->fd >= 0 && connection->ready && !connection->expected_to_close) {
                connection_leave(connection);
                done++;
            }
            if (connection->fd < 0 && now_ns() < stop) {
                char client_id[32];
                snprintf(client_id, sizeof client_id, "hello-%07u", opened++);
                connection->received = received;
                connection_open(connection, options->port, client_id, true);
            }
            open = open || connection->fd >= 0;
        }
        if (open) loop_turn(10000000);
        if (now_ns() > stop + 10000000000u) die("connections stay open");
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    printf("{\"connections\": %u, \"rate\": %.0f, \"cpu_us\": %.2f, \"load_us\": %.2f}\n", done, done / seconds,
           (double)(cpu_ns(options->pid) - cpu) / 1e3 / done, (double)(cpu_ns(0) - own_cpu) / 1e3 / done);
}
