// Preloaded into the responders: shifts the time of day by the seconds in the file that CLOCK_FILE names. The monotonic
// clock is unchanged, as it is when an operator sets the machine's time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    int status = (int)syscall(SYS_clock_gettime, id, time);
    if (status != 0 || id != CLOCK_REALTIME) return status;
    const char *path = getenv("CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    close(file);
    return 0;
}
