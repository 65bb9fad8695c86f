// What the command line says; every subcommand reads its own part. main.c has the names.
#ifndef OPTIONS_H
#define OPTIONS_H

struct options {
    int port, subscribe_port;       // subscribe_port 0: the same
    int pid;                        // the broker whose processor time counts
    const char *topology;           // flow: pairs | in | out
    int clients, qos, size, burst, rate, lockstep, json, probe;
    int publishers, window, messages, random, session;
    double seconds, warm_seconds;
    const char *counters;           // relay, flow: file of two 64-bit counters; stall: ends when it is gone
    const char *capture;            // relay: file that gets what the node sends; file: that gets the packets
    int up_ms, down_ms;             // relay: how long the link is up, then down, and again; 0: always up
    int drain, settle_ms;           // away: whether the subscriber returns; how long what is written behind has
    const char *disk;               // away: a path on the broker's disk; file, sink: the file to write
    int group;                      // file, sink: messages a sync
    int listen, upstream;           // relay, sink
    int tls;                        // every connection is made over TLS
    int core;                       // start
    char **command;                 // start: the words after --
};

void flow(const struct options *options);
void away(const struct options *options);
void idle(const struct options *options);
void handshakes(const struct options *options);
void start(const struct options *options);
void file(const struct options *options);
void sqlite(const struct options *options);
void relay(const struct options *options);
void sink(const struct options *options);
void pace(const struct options *options);
void collect(const struct options *options);
void stall(const struct options *options);
void batches(const struct options *options);

#endif
