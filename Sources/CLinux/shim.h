// Headers that Swift's Glibc module leaves out.
#include <linux/sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

// Swift reads <sys/socket.h> without _GNU_SOURCE, where accept4(2) is not declared.
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
