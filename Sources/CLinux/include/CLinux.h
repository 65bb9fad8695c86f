// The Linux system calls that Glibc's Swift module leaves out.
#ifndef ROOST_CLINUX_H
#define ROOST_CLINUX_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/file.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>

#endif
