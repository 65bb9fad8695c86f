// `load relay`: passes TCP streams on and counts their bytes, each direction by itself. What a node's link carries is the
// payload of TCP; headers and acknowledgements of TCP depend on the network and are left out.
#define _GNU_SOURCE
#include "bytes.h"
#include "counters.h"
#include "measure.h"
#include "options.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_STREAMS = 16, CHUNK = 1 << 16 };

struct stream {
    int node, upstream;
    struct bytes up, down;  // read but not yet written
};

static struct stream streams[MOST_STREAMS];
static unsigned stream_count;

static int tcp_socket(int flags) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;
    if (fd < 0) die("socket: %m");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void accept_one(int listener, int upstream_port) {
    int node = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (node < 0) return;
    struct sockaddr_in address = loopback(upstream_port);
    int upstream = tcp_socket(0), on = 1;
    setsockopt(node, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (stream_count == MOST_STREAMS || connect(upstream, (struct sockaddr *)&address, sizeof address)) {
        close(node);
        close(upstream);
        return;
    }
    streams[stream_count++] = (struct stream){.node = node, .upstream = upstream};
}

/// One read if nothing waits to be written, one write if something does. False when the stream has ended.
static bool pass(int from, int to, struct bytes *waiting, volatile uint64_t *counter, FILE *copy, short events) {
    if (!waiting->size && events & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t count = recv(from, bytes_reserve(waiting, CHUNK), CHUNK, MSG_DONTWAIT);
        if (count == 0) return false;
        if (count > 0) {
            waiting->size = (size_t)count;
            *counter += (uint64_t)count;
            if (copy) fwrite(waiting->at, 1, (size_t)count, copy);
        }
    }
    if (waiting->size) {
        ssize_t count = send(to, waiting->at, waiting->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) bytes_drop_first(waiting, (size_t)count);
    }
    return true;
}

static void end(unsigned index) {
    struct stream *stream = &streams[index];
    close(stream->node);
    close(stream->upstream);
    bytes_free(&stream->up);
    bytes_free(&stream->down);
    *stream = streams[--stream_count];
}

static int listen_on(int port) {
    int listener = tcp_socket(SOCK_NONBLOCK);
    struct sockaddr_in address = loopback(port);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16))
        die("cannot listen on port %d: %m", port);
    return listener;
}

/// Ends all streams and lets nobody connect.
static int take_down(int listener) {
    while (stream_count) end(0);
    close(listener);
    return -1;
}

void relay(const struct options *options) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    volatile struct counters *counters = counters_map(options->counters);
    FILE *capture = options->capture ? fopen(options->capture, "we") : NULL;
    if (capture) setvbuf(capture, NULL, _IONBF, 0);
    int listener = listen_on(options->listen);
    uint64_t turn_ns = options->up_ms ? now_ns() + (uint64_t)options->up_ms * 1000000 : UINT64_MAX;

    for (;;) {
        if (now_ns() >= turn_ns) {
            bool was_up = listener >= 0;
            listener = was_up ? take_down(listener) : listen_on(options->listen);
            turn_ns = now_ns() + (uint64_t)(was_up ? options->down_ms : options->up_ms) * 1000000;
        }
        struct pollfd polled[1 + 2 * MOST_STREAMS];
        unsigned count = stream_count;
        polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (unsigned i = 0; i < count; i++) {
            struct stream *stream = &streams[i];
            polled[1 + 2 * i] = (struct pollfd){
                .fd = stream->node, .events = (stream->up.size ? 0 : POLLIN) | (stream->down.size ? POLLOUT : 0)};
            polled[2 + 2 * i] = (struct pollfd){
                .fd = stream->upstream, .events = (stream->down.size ? 0 : POLLIN) | (stream->up.size ? POLLOUT : 0)};
        }
        if (poll(polled, 1 + 2 * count, options->up_ms ? 5 : -1) < 0) continue;
        for (unsigned i = count; i-- > 0;) {
            struct stream *stream = &streams[i];
            if (!pass(stream->node, stream->upstream, &stream->up, &counters->up, capture, polled[1 + 2 * i].revents)
                || !pass(stream->upstream, stream->node, &stream->down, &counters->down, NULL, polled[2 + 2 * i].revents))
                end(i);
        }
        if (listener >= 0 && polled[0].revents) accept_one(listener, options->upstream);
    }
}
