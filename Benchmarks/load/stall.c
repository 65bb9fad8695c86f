// `load stall`: what others feel while a broker has much to do: on one connection a PINGREQ every 2 ms, on another a message
// at QoS 1 that must be kept, 100 a second, each when the one before is acknowledged. For --seconds, or until --counters'
// file is gone. Prints quantiles in milliseconds.
#include "connection.h"
#include "measure.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PINGRESP = 13, MOST = 1 << 20, PING_NS = 2000000, PUBLISH_NS = 10000000 };

struct probe {
    uint64_t sent_ns, next_ns, *values;
    size_t count;
    bool waits;
};

static struct probe ping, commit;

static void answered(struct probe *probe) {
    if (!probe->waits) return;
    if (probe->count < MOST) probe->values[probe->count++] = loop_read_ns - probe->sent_ns;
    probe->waits = false;
}

static void received(struct connection *connection, const struct packet *packet) {
    (void)connection;
    if (packet->type == PINGRESP) answered(&ping);
    if (packet->type == PUBACK) answered(&commit);
}

static bool is_due(struct probe *probe, uint64_t now, uint64_t every) {
    if (probe->waits || now < probe->next_ns) return false;
    probe->waits = true;
    probe->sent_ns = now;
    probe->next_ns = now + every;
    return true;
}

static void report(const char *name, struct probe *probe, const char *end) {
    sort_values(probe->values, probe->count);
    printf("\"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f, \"%s_count\": %zu%s", name,
           (double)quantile(probe->values, probe->count, 0.5) / 1e6, name,
           (double)quantile(probe->values, probe->count, 0.99) / 1e6, name,
           (double)quantile(probe->values, probe->count, 1) / 1e6, name, probe->count, end);
}

void stall(const struct options *options) {
    ping.values = malloc(MOST * sizeof(uint64_t)), commit.values = malloc(MOST * sizeof(uint64_t));
    struct connection away = {.received = received, .filter = "stall/#", .qos = 1, .index = 2};
    connection_open(&away, options->port, "stall-away", false);
    loop_until_ready(&away, 1);
    connection_close(&away);
    struct connection connections[2] = {{.received = received}, {.received = received, .index = 1}};
    connection_open(&connections[0], options->port, "stall-ping", true);
    connection_open(&connections[1], options->port, "stall-commit", true);
    loop_until_ready(connections, 2);

    uint64_t stop = now_ns() + (uint64_t)(options->seconds * 1e9);
    uint16_t identifier = 0;
    for (uint64_t now = now_ns(); now < stop; now = now_ns()) {
        if (options->counters && access(options->counters, F_OK)) break;
        if (is_due(&ping, now, PING_NS)) {
            bytes_append(&connections[0].out, "\xc0\x00", 2);
            connection_touch(&connections[0]);
        }
        if (is_due(&commit, now, PUBLISH_NS)) {
            if (!++identifier) identifier = 1;
            memset(mqtt_publish(&connections[1].out, "stall/commit", 12, 1, identifier, 150), 'x', 150);
            connection_touch(&connections[1]);
        }
        loop_turn(500000);
    }
    printf("{");
    report("ping", &ping, ", ");
    report("commit", &commit, "}\n");
}
