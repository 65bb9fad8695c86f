// Starting a program as a child that is kept on a short lead.
#ifndef ROOST_CLINUX_CHILD_H
#define ROOST_CLINUX_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/// What to start, and how. All pointers need only hold during the call.
struct linux_child {
    /// The program's path.
    const char *program;
    /// With the program's name first; ended by NULL.
    char *const *arguments;
    /// NAME=VALUE; ended by NULL.
    char *const *environment;
    /// What the child has as its descriptors 0 to 3, and no other; -1: it has none there.
    int descriptors[4];
    /// Bytes of address space (RLIMIT_AS), open files (RLIMIT_NOFILE); 0: as this process has.
    unsigned long long memory, open_files;
    /// Run as another user, with these groups. Capabilities that this process hands down are not for it.
    bool changes_user;
    uid_t user;
    gid_t group;
    const gid_t *groups;
    size_t group_count;
    /// Set where the start fails: the call that did.
    const char *failed_call;
};

/// Starts a child in a session and process group of its own, which can't gain privileges (PR_SET_NO_NEW_PRIVS) and is killed
/// when the calling thread ends, however it ends (PR_SET_PDEATHSIG).
///
/// Returns its process and, in `pidfd`, a descriptor that becomes readable when it ends; both are the caller's to wait for
/// and to close. -1 and errno: it could not be started, up to and with exec, and nothing is left of it.
pid_t linux_start_child(struct linux_child *child, int *pidfd);

/// Waits for a child that has ended (its pidfd is readable), and closes nothing. Returns the exit code; below 0: the signal
/// that ended it.
int linux_reap_child(int pidfd);

/// Sends a signal to a child, which may have ended.
int linux_signal_child(int pidfd, int signal);

/// A file in memory that nobody else has, open for reading and writing, close-on-exec; -1 and errno.
int linux_memory_file(const char *name);

/// A pipe, close-on-exec; our end (0: reading) does not block.
int linux_output_pipe(int ends[2]);

/// Two connected stream sockets, close-on-exec.
int linux_socket_pair(int ends[2]);

#endif
