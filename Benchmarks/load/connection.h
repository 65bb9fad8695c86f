// One epoll loop over many MQTT connections. Everything appended to a connection's `out` between two turns of the
// loop leaves in one write, and one read takes whatever has arrived: the generator must cost less than the broker.
#ifndef CONNECTION_H
#define CONNECTION_H

#include "mqtt.h"
#include "tls.h"

struct connection {
    int fd;
    unsigned index;          // the owner's
    bool touched, waits_for_room, ready, expected_to_close;
    struct bytes out, partial;
    /// Called for every packet but the ones that only get a connection ready (CONNACK, SUBACK).
    void (*received)(struct connection *, const struct packet *);
    const char *filter;      // subscribed to after CONNACK, NULL for none
    int qos;                 // of that subscription
    tls_session *tls;        // NULL: without
};

/// All connections are made over TLS.
extern bool connections_use_tls;

/// Connects and says CONNECT. `ready` turns true after CONNACK (and SUBACK if there is a filter).
void connection_open(struct connection *connection, int port, const char *client_id, bool clean_session);
/// Sends what waits, DISCONNECT last, and waits for the other side to close, so that the broker has noticed.
void connection_close(struct connection *connection);
/// Sends what waits, DISCONNECT last, without waiting: `fd` is -1 once the other side has closed.
void connection_leave(struct connection *connection);

/// Say that `out` has grown.
void connection_touch(struct connection *connection);

/// Sends what waits, then handles what has arrived, waiting at most `wait_ns` for it. Returns the number of events.
int loop_turn(uint64_t wait_ns);
/// Turns the loop until all are ready; dies after 30 s.
void loop_until_ready(struct connection *connections, unsigned count);
/// When the packets that are being handled were read, CLOCK_MONOTONIC ns.
extern uint64_t loop_read_ns;

#endif
