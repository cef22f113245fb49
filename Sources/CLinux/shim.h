// Headers that Swift's Glibc module leaves out.
#include <linux/memfd.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/xattr.h>

// Swift reads the headers without _GNU_SOURCE, where these are not declared.
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
extern int memfd_create(const char *name, unsigned int flags);
extern int pipe2(int ends[2], int flags);
extern int syncfs(int file);

// The credentials of a unix socket's peer, from <sys/socket.h>.
struct peer_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

// Commands of fcntl(2), from <fcntl.h>: locks that belong to the open file, and the capacity of a pipe.
#define OFD_GETLK 36
#define OFD_SETLK 37
#define F_SETPIPE_SIZE 1031

// An event of poll(2), from <poll.h>: the peer has shut down its sending end.
#define POLLRDHUP 0x2000
