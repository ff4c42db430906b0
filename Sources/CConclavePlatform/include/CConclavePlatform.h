// What Swift cannot see of the C library: functions that take variable arguments or hide behind feature macros, headers that
// the C library's Swift module leaves out, and macros that Swift cannot import. Nothing but declarations and inline calls.

#ifndef CCONCLAVE_PLATFORM_H
#define CCONCLAVE_PLATFORM_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#if defined(__linux__)

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

// Declared here because the headers show it only to those who define _GNU_SOURCE before the first include.
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

/// accept4(2): the new descriptor is non-blocking and closed on exec.
static inline int conclave_accept(int descriptor, struct sockaddr *address, socklen_t *length) {
    return accept4(descriptor, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// epoll_create1(2), closed on exec.
static inline int conclave_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

/// epoll_ctl(2) without a structure.
static inline int conclave_epoll_control(int poller, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(poller, operation, descriptor, &event);
}

static const uint32_t conclave_epoll_in = EPOLLIN;
static const uint32_t conclave_epoll_out = EPOLLOUT;
static const uint32_t conclave_epoll_err = EPOLLERR;
static const uint32_t conclave_epoll_hup = EPOLLHUP;
static const uint32_t conclave_epoll_et = EPOLLET;
static const int conclave_epoll_add = EPOLL_CTL_ADD;
static const int conclave_epoll_modify = EPOLL_CTL_MOD;
static const int conclave_epoll_delete = EPOLL_CTL_DEL;

/// eventfd(2), non-blocking, closed on exec.
static inline int conclave_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/// timerfd_create(2) on the clock that counts suspend, non-blocking, closed on exec.
static inline int conclave_timerfd(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC); }

/// timerfd_settime(2) to an absolute time in nanoseconds; zero disarms.
static inline int conclave_timerfd_arm(int descriptor, int64_t nanoseconds) {
    struct itimerspec value = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)}};
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &value, NULL);
}

/// prctl(PR_SET_NAME): names the calling thread; longer names are cut at 15 bytes.
static inline void conclave_name_thread(const char *name) { (void)prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }

/// prctl(PR_SET_PDEATHSIG): the calling process gets a signal when the thread that started it ends; execve(2) keeps that.
static inline int conclave_end_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0); }

#elif defined(__APPLE__)

#include <pthread.h>

/// pthread_setname_np(3) for the calling thread.
static inline void conclave_name_thread(const char *name) { (void)pthread_setname_np(name); }

#endif

#if defined(__GLIBC__)
#include <malloc.h>

/// mallopt(3): freed memory stays with the process up to this many bytes in each of its arenas, and what is asked for up to
/// `largest` comes from there. By itself the allocator gives buffers of more than 128 KiB back each time, and the next one costs a
/// page fault for each of its pages.
static inline void conclave_keep_freed_memory(int bytes, int largest) {
    (void)mallopt(M_TRIM_THRESHOLD, bytes);
    (void)mallopt(M_MMAP_THRESHOLD, largest);
}

#else

static inline void conclave_keep_freed_memory(int bytes, int largest) {
    (void)bytes;
    (void)largest;
}

#endif

extern char **environ;

/// environ(7): the environment as the system keeps it; ends with a null pointer.
static inline char **conclave_environment(void) { return environ; }

/// ioctl(TIOCGWINSZ): the size of a terminal, 0 on success.
static inline int conclave_window_size(int descriptor, unsigned short *columns, unsigned short *rows) {
    struct winsize size = {0};
    int result = ioctl(descriptor, TIOCGWINSZ, &size);
    *columns = size.ws_col;
    *rows = size.ws_row;
    return result;
}

#endif
