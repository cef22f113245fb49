import Glibc

/// Leads those of the descriptors 0, 1 and 2 that are closed to /dev/null: whatever is opened next would take their
/// place, and be mistaken for a listening socket or for standard error.
package func occupyStandardDescriptors() {
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) == -1 {
        _ = unsafe open("/dev/null", O_RDWR)  // It gets the lowest number that is free: this one.
    }
}

/// Has a write beyond the limit of file sizes (RLIMIT_FSIZE) fail with EFBIG instead of ending the process.
package func ignoreFileSizeSignal() { _ = signal(SIGXFSZ, SIG_IGN) }
