// `load sink`: the least that an MQTT server can do for an acknowledgement that means safe: it takes PUBLISHes at QoS 1,
// appends them to a plain file, calls fdatasync, and answers. It keeps no sessions, routes nothing, and could not find a
// message again. It knows what no server can: how many messages are outstanding (--group), so that each sync covers them all.
// One thread: while all wait for the sync there is nothing else to do.
#define _GNU_SOURCE
#include "bytes.h"
#include "measure.h"
#include "mqtt.h"
#include "options.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20, EVENTS = 512 };

struct client {
    int fd;
    struct bytes partial, answers;  // half a packet; what goes out once it may
    struct client *next_answered;
    bool answered;
};

static uint8_t read_buffer[READ_SIZE];
static struct bytes group;
static int messages;
static struct client *answered;

static void answer(struct client *client, const void *bytes, size_t size) {
    bytes_append(&client->answers, bytes, size);
    if (client->answered) return;
    client->answered = true;
    client->next_answered = answered;
    answered = client;
}

static void take(struct client *client, const uint8_t *at, size_t size, const struct packet *packet) {
    switch (packet->type) {
    case CONNECT: return answer(client, "\x20\x02\x00", 4);
    case SUBSCRIBE: {
        uint8_t suback[5] = {SUBACK << 4, 3, (uint8_t)(packet->identifier >> 8), (uint8_t)packet->identifier, at[size - 1]};
        return answer(client, suback, sizeof suback);
    }
    case PUBLISH: {
        uint8_t puback[4] = {PUBACK << 4, 2, (uint8_t)(packet->identifier >> 8), (uint8_t)packet->identifier};
        bytes_append(&group, at, size);
        messages++;
        return answer(client, puback, sizeof puback);
    }
    default: return;
    }
}

static bool receive(struct client *client) {
    size_t have = client->partial.size;
    if (have) memcpy(read_buffer, client->partial.at, have);
    ssize_t count = read(client->fd, read_buffer + have, READ_SIZE - have);
    if (count <= 0) return false;
    size_t size = have + (size_t)count, used = 0;
    struct packet packet;
    for (ssize_t taken; used < size; used += (size_t)taken) {
        taken = mqtt_decode(read_buffer + used, size - used, &packet);
        if (taken < 0) return false;
        if (taken == 0) break;
        take(client, read_buffer + used, (size_t)taken, &packet);
    }
    client->partial.size = 0;
    if (used < size) bytes_append(&client->partial, read_buffer + used, size - used);
    return true;
}

static void send_answers(void) {
    for (; answered; answered = answered->next_answered) {
        answered->answered = false;
        if (answered->fd < 0) continue;
        if (write(answered->fd, answered->answers.at, answered->answers.size) < 0) die("cannot answer: %m");
        answered->answers.size = 0;
    }
}

/// What came since the last sync: on the disk.
static void sync_group(int fd) {
    if (write(fd, group.at, group.size) != (ssize_t)group.size || fdatasync(fd)) die("cannot keep: %m");
    group.size = 0;
    messages = 0;
}

static void accept_one(int listener, int poller) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = calloc(1, sizeof *client);
    if (!client) die("out of memory");
    client->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl: %m");
}

void sink(const struct options *options) {
    int fd = open(options->disk, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) die("%s: %m", options->disk);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, poller = epoll_create1(EPOLL_CLOEXEC);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)options->listen), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)
        || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event))
        die("cannot listen on port %d: %m", options->listen);
    for (;;) {
        struct epoll_event events[EVENTS];
        // The last messages of a run are fewer than a group: nothing came for a while, so they go.
        int count = epoll_wait(poller, events, EVENTS, messages ? 20 : -1);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) accept_one(listener, poller);
            else if (!receive(client)) {
                close(client->fd);
                client->fd = -1;
            }
        }
        if (messages && messages < options->group && count > 0) continue;
        if (messages) sync_group(fd);
        send_answers();
    }
}
