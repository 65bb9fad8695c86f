#define _GNU_SOURCE
#include "connection.h"

#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20, EVENTS = 512, READY_SECONDS = 30 };

uint64_t loop_read_ns;
bool connections_use_tls;

static int poller = -1;
static uint8_t read_buffer[READ_SIZE];
static struct connection **touched;
static size_t touched_count, touched_capacity;

static void watch(struct connection *connection, int operation, bool for_room) {
    if (poller < 0) poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event)) die("epoll_ctl: %m");
    connection->waits_for_room = for_room;
}

void connection_open(struct connection *connection, int port, const char *client_id, bool clean_session) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) die("socket: %m");
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("cannot connect to 127.0.0.1:%d: %m", port);
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->tls = connections_use_tls ? tls_open(connection->fd) : NULL;
    connection->ready = connection->touched = connection->expected_to_close = false;
    mqtt_connect(&connection->out, client_id, clean_session);
    watch(connection, EPOLL_CTL_ADD, true);
}

static void release(struct connection *connection) {
    if (connection->tls) tls_close(connection->tls);
    connection->tls = NULL;
    close(connection->fd);
    connection->fd = -1;
    connection->out.size = connection->partial.size = 0;
}

void connection_leave(struct connection *connection) {
    mqtt_disconnect(&connection->out);
    connection->expected_to_close = true;
    connection_touch(connection);
}

void connection_close(struct connection *connection) {
    connection_leave(connection);
    uint64_t deadline = now_ns() + 5000000000u;
    while (connection->fd >= 0 && now_ns() < deadline) loop_turn(10000000);
    if (connection->fd >= 0) release(connection);
}

void connection_touch(struct connection *connection) {
    if (connection->touched) return;
    connection->touched = true;
    if (touched_count == touched_capacity) {
        touched_capacity = touched_capacity ? touched_capacity * 2 : 256;
        touched = realloc(touched, touched_capacity * sizeof *touched);
        if (!touched) die("out of memory");
    }
    touched[touched_count++] = connection;
}

static void closed(struct connection *connection, const char *how) {
    if (!connection->expected_to_close) die("the broker closed connection %u (%s)", connection->index, how);
    release(connection);
}

static void send_waiting(struct connection *connection) {
    if (connection->fd < 0 || !connection->out.size) return;
    ssize_t sent;
    do {
        sent = connection->tls ? tls_write(connection->tls, connection->out.at, connection->out.size)
                               : write(connection->fd, connection->out.at, connection->out.size);
        if (sent < 0 && errno != EAGAIN) return closed(connection, strerror(errno));
        if (sent > 0) bytes_drop_first(&connection->out, (size_t)sent);
    } while (connection->tls && sent > 0 && connection->out.size);
    // A handshake waits for the other side, not for room.
    bool left = connection->out.size > 0 && !(connection->tls && tls_is_in_handshake(connection->tls));
    if (left != connection->waits_for_room) watch(connection, EPOLL_CTL_MOD, left);
}

static void handle(struct connection *connection, const struct packet *packet) {
    switch (packet->type) {
    case CONNACK:
        if (packet->code) die("CONNACK refuses connection %u with %u", connection->index, packet->code);
        connection->ready = !connection->filter;
        if (!connection->filter) return;
        mqtt_subscribe(&connection->out, connection->filter, connection->qos);
        return connection_touch(connection);
    case SUBACK:
        if (packet->code != connection->qos) die("SUBACK grants %u for QoS %d", packet->code, connection->qos);
        connection->ready = true;
        return;
    default:
        connection->received(connection, packet);
    }
}

/// A packet received in part waits in `partial` and is put before the next bytes, so that all are decoded in place.
static void receive(struct connection *connection) {
    size_t have = connection->partial.size;
    if (have == READ_SIZE) die("a packet is larger than %d bytes", READ_SIZE);
    memcpy(read_buffer, connection->partial.at ? connection->partial.at : read_buffer, have);
    ssize_t count = connection->tls ? tls_read(connection->tls, read_buffer + have, READ_SIZE - have)
                                    : read(connection->fd, read_buffer + have, READ_SIZE - have);
    if (count < 0 && errno == EAGAIN) return connection->tls ? connection_touch(connection) : (void)0;
    if (count <= 0) return closed(connection, count ? strerror(errno) : "end of stream");
    loop_read_ns = now_ns();

    size_t size = have + (size_t)count, used = 0;
    struct packet packet;
    for (ssize_t taken; used < size; used += (size_t)taken) {
        taken = mqtt_decode(read_buffer + used, size - used, &packet);
        if (taken < 0) die("not a packet on connection %u", connection->index);
        if (taken == 0) break;
        handle(connection, &packet);
    }
    connection->partial.size = 0;
    if (used < size) bytes_append(&connection->partial, read_buffer + used, size - used);
}

int loop_turn(uint64_t wait_ns) {
    for (size_t i = 0; i < touched_count; i++) {
        touched[i]->touched = false;
        if (!touched[i]->waits_for_room) send_waiting(touched[i]);
    }
    touched_count = 0;

    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000)};
    int count = epoll_pwait2(poller, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) send_waiting(connection);
        if (connection->fd >= 0 && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(connection);
    }
    return count;
}

void loop_until_ready(struct connection *connections, unsigned count) {
    uint64_t deadline = now_ns() + READY_SECONDS * 1000000000ull;
    for (unsigned i = 0; i < count; i++)
        while (!connections[i].ready) {
            if (now_ns() > deadline) die("connection %u of %u was not ready after %d s", i, count, READY_SECONDS);
            loop_turn(10000000);
        }
}
