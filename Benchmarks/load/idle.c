// `load idle`: what a connection that says nothing costs the broker in memory.
#include "connection.h"
#include "measure.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 100, SETTLE_MS = 700 };

static void received(struct connection *connection, const struct packet *packet) {
    (void)packet;
    die("connection %u received something", connection->index);
}

static void settle(void) {
    for (uint64_t until = now_ns() + SETTLE_MS * 1000000ull; now_ns() < until;) loop_turn(20000000);
}

void idle(const struct options *options) {
    unsigned count = (unsigned)options->clients;
    struct connection *connections = calloc(count, sizeof *connections);
    if (!connections) die("out of memory");

    settle();
    int64_t before = process_figure(options->pid, "status", "VmRSS:");
    int64_t anonymous_before = process_figure(options->pid, "status", "RssAnon:");
    for (unsigned first = 0; first < count; first += AT_ONCE) {
        unsigned some = count - first < AT_ONCE ? count - first : AT_ONCE;
        for (unsigned i = first; i < first + some; i++) {
            char client_id[32];
            snprintf(client_id, sizeof client_id, "idle-%05u", i);
            connections[i] = (struct connection){.index = i, .received = received};
            connection_open(&connections[i], options->port, client_id, true);
        }
        loop_until_ready(connections + first, some);
    }
    settle();
    int64_t grown = process_figure(options->pid, "status", "VmRSS:") - before;
    int64_t anonymous = process_figure(options->pid, "status", "RssAnon:") - anonymous_before;
    printf("{\"connections\": %u, \"rss_kib\": %ld, \"anonymous_kib\": %ld, \"connection_bytes\": %.1f, "
           "\"connection_anonymous_bytes\": %.1f}\n",
           count, before, anonymous_before, (double)grown * 1024 / count, (double)anonymous * 1024 / count);
}
