// The Linux system calls that Glibc's Swift module leaves out.
#ifndef ROOST_CLINUX_H
#define ROOST_CLINUX_H

#include "Child.h"
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/file.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <elf.h>
#include <sys/auxv.h>
#include <netinet/tcp.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC; EINTR is retried.
int linux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// A non-blocking, close-on-exec stream socket.
int linux_stream_socket(int family);

/// A non-blocking, close-on-exec eventfd with the value 0.
int linux_eventfd(void);

/// Adds 1 to an eventfd, whatever signals arrive meanwhile.
void linux_eventfd_signal(int descriptor);

/// True when the kernel holds the wall clock to be disciplined (adjtimex without STA_UNSYNC).
bool linux_clock_is_synchronised(void);

/// What errno's value means, in English; NULL for a value that means nothing.
const char *linux_error_text(int number);

/// Who connected a Unix socket (SO_PEERCRED); false: the socket isn't one, or isn't connected.
bool linux_peer_credentials(int socket, pid_t *process, uid_t *user, gid_t *group);

/// The peer's supplementary groups (SO_PEERGROUPS), and how many; -1: more than `count`, or not known.
int linux_peer_groups(int socket, gid_t *groups, unsigned count);

/// Gives this process a mount namespace of its own: what it mounts nobody else sees, and goes with its last process. Needs
/// CAP_SYS_ADMIN and a process of one thread. 0, or -1 and errno.
int linux_private_mounts(void);

/// The most bytes that a file written by `process` may have (RLIMIT_FSIZE); 0: as many as it likes. 0, or -1 and errno.
int linux_limit_file_size(pid_t process, unsigned long long bytes);

/// Makes this process the one that inherits its descendants' orphans, and so can wait for them.
void linux_adopt_orphans(void);

/// Pages of a file that are in memory and not on the disk yet (cachestat, Linux 6.5); -1 where the kernel can't tell.
long linux_dirty_pages(int descriptor);

/// Makes a terminal device a raw serial line of 8 data bits at any speed (termios2): parity 0 none, 1 odd, 2 even; 1 or 2 stop
/// bits. What had come in is dropped. 0, or -1 and errno; EINVAL: the device doesn't have that speed within 2 %.
int linux_serial_configure(int descriptor, unsigned baud, int parity, int stop_bits);

/// Has the kernel switch an RS-485 driver by RTS, high or low while it sends (TIOCSRS485). 0, or -1 and errno.
int linux_serial_rs485(int descriptor, int sends_with_rts_high);

#endif
