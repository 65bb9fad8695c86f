// What the command line says; every subcommand reads its own part. main.c has the names.
#ifndef OPTIONS_H
#define OPTIONS_H

struct options {
    int port, subscribe_port;       // subscribe_port 0: the same
    int pid;                        // the broker whose processor time counts
    const char *topology;           // flow: pairs | in | out
    int clients, qos, size, burst, rate, lockstep, json, probe;
    int publishers, window, messages;
    double seconds, warm_seconds;
    const char *counters;           // relay, flow: file of two 64-bit counters
    const char *disk;               // away: a path on the broker's disk; file: the file to write
    int group;                      // file: messages a sync
    int listen, upstream;           // relay
    int core;                       // start
    char **command;                 // start: the words after --
};

void flow(const struct options *options);
void away(const struct options *options);
void idle(const struct options *options);
void start(const struct options *options);
void file(const struct options *options);
void relay(const struct options *options);
void batches(const struct options *options);

#endif
