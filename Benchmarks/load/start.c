// `load start ... -- COMMAND`: from fork to the first CONNACK, as a client sees it that tries again all the time.
#define _GNU_SOURCE
#include "measure.h"
#include "mqtt.h"
#include "options.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRY_EVERY_US = 100, DEADLINE_SECONDS = 20 };

static pid_t launch(const struct options *options) {
    pid_t pid = fork();
    if (pid < 0) die("fork: %m");
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)options->core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0);
    dup2(nothing, 1);  // ours is for the figures
    execvp(options->command[0], options->command);
    die("%s: %m", options->command[0]);
}

static bool answers(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool answered = false;
    if (!connect(fd, (struct sockaddr *)&address, sizeof address)) {
        struct bytes out = {0};
        uint8_t in[4];
        mqtt_connect(&out, "start", true);
        answered = write(fd, out.at, out.size) == (ssize_t)out.size && recv(fd, in, 4, MSG_WAITALL) == 4
            && in[0] == CONNACK << 4 && in[3] == 0;
        bytes_free(&out);
    }
    close(fd);
    return answered;
}

static void end(pid_t pid) {
    kill(pid, SIGTERM);
    for (int i = 0; i < 50; i++) {
        if (waitpid(pid, NULL, WNOHANG)) return;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void start(const struct options *options) {
    prctl(PR_SET_TIMERSLACK, 1000);
    uint64_t began = now_ns();
    pid_t pid = launch(options);
    while (!answers(options->port)) {
        if (waitpid(pid, NULL, WNOHANG)) die("%s ended before it answered", options->command[0]);
        if (now_ns() > began + DEADLINE_SECONDS * 1000000000ull) {
            end(pid);
            die("%s did not answer in %d s", options->command[0], DEADLINE_SECONDS);
        }
        nanosleep(&(struct timespec){.tv_nsec = TRY_EVERY_US * 1000}, NULL);
    }
    double ms = (double)(now_ns() - began) / 1e6;
    end(pid);
    printf("{\"start_ms\": %.2f}\n", ms);
}
