// The load generator of Benchmarks/run: one thread, MQTT 3.1.1 by hand, one JSON object on standard output.
#define _GNU_SOURCE
#include "connection.h"
#include "measure.h"
#include "options.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static struct options options = {
    .topology = "pairs", .clients = 100, .size = 64, .publishers = 64, .window = 1, .seconds = 2, .group = 64, .drain = 1, .settle_ms = 1500, .session = 1,
};

static const struct { const char *name; void (*run)(const struct options *); } subcommands[] = {
    {"flow", flow}, {"away", away}, {"idle", idle}, {"handshakes", handshakes}, {"start", start}, {"file", file}, {"sqlite", sqlite}, {"relay", relay}, {"sink", sink},
    {"batches", batches}, {"pace", pace}, {"collect", collect}, {"stall", stall},
};

static const struct { const char *name; int *number; double *seconds; const char **text; } names[] = {
    {"--port", .number = &options.port},
    {"--subscribe-port", .number = &options.subscribe_port},
    {"--pid", .number = &options.pid},
    {"--topology", .text = &options.topology},
    {"--clients", .number = &options.clients},
    {"--qos", .number = &options.qos},
    {"--size", .number = &options.size},
    {"--burst", .number = &options.burst},
    {"--rate", .number = &options.rate},
    {"--lockstep", .number = &options.lockstep},
    {"--json", .number = &options.json},
    {"--probe", .number = &options.probe},
    {"--publishers", .number = &options.publishers},
    {"--window", .number = &options.window},
    {"--messages", .number = &options.messages},
    {"--seconds", .seconds = &options.seconds},
    {"--warm", .seconds = &options.warm_seconds},
    {"--counters", .text = &options.counters},
    {"--disk", .text = &options.disk},
    {"--group", .number = &options.group},
    {"--listen", .number = &options.listen},
    {"--upstream", .number = &options.upstream},
    {"--random", .number = &options.random},
    {"--session", .number = &options.session},
    {"--capture", .text = &options.capture},
    {"--up-ms", .number = &options.up_ms},
    {"--down-ms", .number = &options.down_ms},
    {"--settle-ms", .number = &options.settle_ms},
    {"--drain", .number = &options.drain},
    {"--tls", .number = &options.tls},
    {"--core", .number = &options.core},
};

static void set(const char *name, const char *value) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name)) continue;
        if (names[i].number) *names[i].number = atoi(value);
        if (names[i].seconds) *names[i].seconds = atof(value);
        if (names[i].text) *names[i].text = value;
        return;
    }
    die("no option %s", name);
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives the runner
    for (int i = 2; i < count; i += 2) {
        if (!strcmp(words[i], "--")) {
            options.command = words + i + 1;
            break;
        }
        if (i + 1 == count) die("%s needs a value", words[i]);
        set(words[i], words[i + 1]);
    }
    connections_use_tls = options.tls;
    for (size_t i = 0; count > 1 && i < sizeof subcommands / sizeof *subcommands; i++)
        if (!strcmp(subcommands[i].name, words[1])) {
            subcommands[i].run(&options);
            return 0;
        }
    die("usage: load flow|away|idle|handshakes|start|file|sqlite|relay|sink|batches|pace|collect|stall OPTIONS (Benchmarks/README.md)");
}
