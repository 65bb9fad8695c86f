#define _GNU_SOURCE
#include "Child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child runs in our memory until exec, as with vfork: a copy of a daemon's page tables would cost it time and, where memory
// may not be overcommitted, fail. So it calls nothing but the kernel, and a failure needs no pipe: it is left in this struct.
//
// glibc's setuid and its like would change every thread of ours, since they find us in that memory: hence the bare calls.
struct start {
    struct linux_child *child;
    pid_t parent;
    sigset_t before;
    bool clears_oom_score;
    int failure;
};

static int fail(struct start *start, const char *call) {
    start->failure = errno;
    start->child->failed_call = call;
    _exit(127);
}

// Puts the descriptors in their places, and closes all others.
static void place_descriptors(struct start *start) {
    int copies[4];
    for (int place = 0; place < 4; place++) {
        copies[place] = -1;
        if (start->child->descriptors[place] < 0) continue;
        copies[place] = fcntl(start->child->descriptors[place], F_DUPFD, 4);
        if (copies[place] < 0) fail(start, "dup");
    }
    for (int place = 0; place < 4; place++) {
        if (copies[place] < 0) {
            close(place);
        } else if (dup2(copies[place], place) < 0) {
            fail(start, "dup");
        }
    }
    // Linux 5.9; before it, one by one.
    enum { close_range_number = 436 };
    if (syscall(close_range_number, 4u, ~0u, 0u) == 0) return;
    struct rlimit limit;
    long end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1048576 ? (long)limit.rlim_cur : 1048576;
    for (int descriptor = 4; descriptor < end; descriptor++) close(descriptor);
}

static void reset_signals(void) {
    struct sigaction usual;
    memset(&usual, 0, sizeof usual);
    usual.sa_handler = SIG_DFL;
    for (int signal = 1; signal < 65; signal++) sigaction(signal, &usual, NULL);
}

static void limit(struct start *start, int resource, unsigned long long value, const char *name) {
    if (value == 0) return;
    struct rlimit limit = {value, value};
    if (setrlimit(resource, &limit) != 0) fail(start, name);
}

static int run_child(void *argument) {
    struct start *start = argument;
    struct linux_child *child = start->child;
    if (setsid() < 0) fail(start, "setsid");
    place_descriptors(start);
    reset_signals();
    // A daemon that the kernel spares when memory is short does not ask so for its modules.
    if (start->clears_oom_score) {
        int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (file >= 0) {
            ssize_t written = write(file, "0", 1);
            (void)written;
            close(file);
        }
    }
    limit(start, RLIMIT_NOFILE, child->open_files, "open_files");
    if (child->changes_user) {
        if (syscall(SYS_setgroups, child->group_count, child->groups) != 0) fail(start, "setgroups");
        if (syscall(SYS_setresgid, child->group, child->group, child->group) != 0) fail(start, "setgid");
        if (syscall(SYS_setresuid, child->user, child->user, child->user) != 0) fail(start, "setuid");
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(start, "no_new_privs");
    // Forgotten when the user changes, so not before.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(start, "pdeathsig");
    if (getppid() != start->parent) _exit(127);
    limit(start, RLIMIT_AS, child->memory, "memory");
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(child->program, child->arguments, child->environment);
    fail(start, "exec");
    return 127;
}

static bool is_spared_by_oom(void) {
    char text[16] = {0};
    int file = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    return count > 0 && text[0] == '-';
}

pid_t linux_start_child(struct linux_child *child, int *pidfd) {
    enum { stack_size = 128 * 1024 };
    void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        child->failed_call = "mmap";
        return -1;
    }
    struct start start = {.child = child, .parent = getpid(), .clears_oom_score = is_spared_by_oom()};
    // No handler of ours may run in the child.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &start.before);
    *pidfd = -1;
    child->failed_call = NULL;
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    pid_t process =
        clone(run_child, (char *)stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, pidfd);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &start.before, NULL);
    munmap(stack, stack_size);
    // Another user in our memory made the kernel take it for secret, and /proc's files of ours with it.
    if (child->changes_user && dumpable == 1) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (process < 0) {
        child->failed_call = "clone";
        errno = number;
        return -1;
    }
    if (start.failure == 0 && *pidfd >= 0) return process;
    if (start.failure == 0) {
        // Before Linux 5.2 the kernel doesn't know of the flag, and overlooks it.
        kill(process, SIGKILL);
        start.failure = ENOSYS;
        child->failed_call = "pidfd";
    }
    int status;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (*pidfd >= 0) close(*pidfd);
    *pidfd = -1;
    errno = start.failure;
    return -1;
}

// Older headers have neither.
enum { wait_by_pidfd = 3, pidfd_send_signal_number = 424 };

int linux_reap_child(int pidfd) {
    siginfo_t found;
    memset(&found, 0, sizeof found);
    while (waitid((idtype_t)wait_by_pidfd, (id_t)pidfd, &found, WEXITED) < 0) {
        if (errno != EINTR) return 255;
    }
    return found.si_code == CLD_EXITED ? found.si_status : -found.si_status;
}

int linux_signal_child(int pidfd, int signal) {
    return (int)syscall(pidfd_send_signal_number, pidfd, signal, NULL, 0);
}

int linux_memory_file(const char *name) {
    return memfd_create(name, MFD_CLOEXEC);
}

int linux_output_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    int flags = fcntl(ends[0], F_GETFL);
    return fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
}

int linux_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}
