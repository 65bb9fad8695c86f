#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <stdint.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int linux_accept(int listener, struct sockaddr *address, socklen_t *length) {
    int descriptor;
    do {
        descriptor = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

int linux_stream_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int linux_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void linux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    while (write(descriptor, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool linux_clock_is_synchronised(void) {
    struct timex state = {0};
    return adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

const char *linux_error_text(int number) {
    return strerrordesc_np(number);
}

bool linux_peer_credentials(int socket, pid_t *process, uid_t *user, gid_t *group) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return false;
    // A TCP socket answers with process 0 and no user.
    if (credentials.pid == 0 && credentials.uid == (uid_t)-1) return false;
    *process = credentials.pid;
    *user = credentials.uid;
    *group = credentials.gid;
    return true;
}

int linux_peer_groups(int socket, gid_t *groups, unsigned count) {
    socklen_t length = count * sizeof *groups;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return -1;
    return (int)(length / sizeof *groups);
}

int linux_private_mounts(void) {
    if (unshare(CLONE_NEWNS) != 0) return -1;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int linux_limit_file_size(pid_t process, unsigned long long bytes) {
    struct rlimit limit;
    if (prlimit(process, RLIMIT_FSIZE, NULL, &limit) != 0) return -1;
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    return prlimit(process, RLIMIT_FSIZE, &limit, NULL);
}

void linux_adopt_orphans(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

long linux_dirty_pages(int descriptor) {
    // Older headers have neither the number nor the types (include/uapi/linux/mman.h).
    enum { cachestat = 451 };
    struct { uint64_t offset, length; } whole = {0, 0};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } found;
    if (syscall(cachestat, descriptor, &whole, &found, 0) != 0) return -1;
    return (long)(found.dirty + found.writeback);
}
