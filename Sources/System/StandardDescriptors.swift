import Glibc

/// Opens /dev/null on each of the descriptors 0, 1 and 2 that is closed. Otherwise the next file to be opened would
/// take its number, and be mistaken for a listening socket or for standard error.
package func occupyStandardDescriptors() {
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) == -1 {
        _ = unsafe open("/dev/null", O_RDWR)  // It gets the lowest number that is free: this one.
    }
}

/// Makes a write beyond the limit of file sizes (RLIMIT_FSIZE) fail with EFBIG instead of ending the process.
package func ignoreFileSizeSignal() { _ = signal(SIGXFSZ, SIG_IGN) }
