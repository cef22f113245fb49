import CLinux
import Glibc

/// Why a file was not replaced.
package struct FileReplacementFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Replaces the content of a file as a whole: whoever opens it finds the old content or the new, even if this process is
/// killed in between. Only one replacement of a file is under way at any time.
///
///     var replacement = try FileReplacement(of: path, waitingUntil: deadline)
///     … read the file …
///     try replacement.prepare(content)
///     let doubt = try replacement.commit()
///
/// The new content is first written to a hidden file in the same directory, which is the lock, too. One that a killed
/// process has left is used again. A symbolic link stays, and the file that it leads to is replaced.
package struct FileReplacement: ~Copyable {
    /// The file itself if the path is a symbolic link.
    package let path: String
    private let hidden: String
    private let file: Descriptor
    /// Of the file whose owner, group and mode the new one has.
    private var old: stat?
    private let oldPath: String
    /// Whether there is no file to replace.
    package let isFirst: Bool
    private var isCommitted = false

    /// Waits until no other replacement of the file is under way.
    ///
    /// - Parameter other: the file whose owner, group and mode a new file has; a file that is replaced keeps its own.
    package init(
        of path: String, rightsOf other: String? = nil, waitingUntil deadline: Instant
    ) throws(FileReplacementFailure) {
        let target = try FileReplacement.target(of: path)
        let name = target.split(separator: "/").last.map(String.init) ?? ""
        let hidden = "\(directory(of: target))/.\(name).edit"
        let file = try FileReplacement.lock(hidden, for: path, until: deadline)
        var status = stat()
        isFirst = unsafe stat(target, &status) != 0
        oldPath = isFirst ? other ?? "" : target
        if unsafe stat(oldPath, &status) == 0 { old = status }
        (self.path, self.hidden) = (target, hidden)
        self.file = file
    }

    /// The file that a path leads to, which this process may write if it exists.
    private static func target(of path: String) throws(FileReplacementFailure) -> String {
        do throws(SystemError) {
            let target = try linkTarget(of: path)
            let isWritable = unsafe faccessat(AT_FDCWD, target, W_OK, AT_EACCESS) == 0
            guard isWritable || errno == ENOENT else { throw SystemError("faccessat") }
            return target
        } catch {
            throw FileReplacementFailure(description: "\(path) cannot be replaced (\(error))")
        }
    }

    private static func lock(
        _ hidden: String, for path: String, until deadline: Instant
    ) throws(FileReplacementFailure) -> Descriptor {
        let place = "\(path) cannot be replaced: in its directory"
        while true {
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
            let number = retryingInterrupts { unsafe open(hidden, flags, 0o600) }
            guard number >= 0 else {
                throw FileReplacementFailure(description: "\(place) \(hidden) cannot be made (\(SystemError("open")))")
            }
            let file = Descriptor(owning: number)
            while flock(number, LOCK_EX | LOCK_NB) != 0 {
                guard errno == EWOULDBLOCK || errno == EINTR, .now < deadline else {
                    throw FileReplacementFailure(
                        description:
                            "\(place) \(hidden) is locked: is another edit under way? (\(SystemError("flock")))")
                }
                usleep(5_000)
            }
            var (held, named) = (stat(), stat())
            guard unsafe fstat(number, &held) == 0, unsafe lstat(hidden, &named) == 0, held.st_ino == named.st_ino,
                held.st_dev == named.st_dev
            else {
                // While this process waited, another one made it the file itself, or removed it.
                continue
            }
            guard held.st_mode & S_IFMT == S_IFREG, held.st_nlink == 1, fchmod(number, 0o600) == 0 else {
                throw FileReplacementFailure(
                    description: "\(place) \(hidden) is not a file of this user's: remove it if nobody needs it")
            }
            return file
        }
    }

    /// Writes the new content to the disk, with the owner, group and mode of the old file: those who could read that can
    /// read this, and nobody else. A file that did not exist is for its owner alone.
    package func prepare(_ content: Span<UInt8>) throws(FileReplacementFailure) {
        do throws(SystemError) {
            guard ftruncate(file.number, 0) == 0 else { throw SystemError("ftruncate") }
            try file.writeToFile(content)
            try copyRights()
            guard fsync(file.number) == 0 else { throw SystemError("fsync") }
        } catch {
            throw FileReplacementFailure(description: "\(path) was not changed: \(hidden) failed (\(error))")
        }
    }

    private func copyRights() throws(SystemError) {
        guard let old else { return }
        var new = stat()
        guard unsafe fstat(file.number, &new) == 0 else { throw SystemError("fstat") }
        if new.st_uid != old.st_uid || new.st_gid != old.st_gid {
            // Not permitted to a user who does not own the old file, or is not in its group.
            guard fchown(file.number, old.st_uid, old.st_gid) == 0 else { throw SystemError("fchown") }
        }
        // Before the mode, which sets how much of the list counts.
        try copyAccessList()
        guard fchmod(file.number, old.st_mode & 0o7777) == 0 else { throw SystemError("fchmod") }
    }

    /// Without it, the group of a file with further users could read what those users could read. A list that the new file
    /// has from its directory goes: it may name users who could not read the old file.
    private func copyAccessList() throws(SystemError) {
        let list = "system.posix_acl_access"
        let isMissing = { errno == ENODATA || errno == ENOTSUP }
        var value = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe getxattr(oldPath, list, &value, value.count)
        guard count >= 0 || isMissing() else { throw SystemError("getxattr") }
        if count > 0 {
            guard unsafe fsetxattr(file.number, list, value, count, 0) == 0 else { throw SystemError("fsetxattr") }
        } else {
            let result = unsafe fremovexattr(file.number, list)
            guard result == 0 || isMissing() else { throw SystemError("fremovexattr") }
        }
    }

    /// Puts the new content in the place of the old. If it throws, the file was not changed.
    ///
    /// - Returns: why a crash of the machine could undo the change; nil if none can.
    package consuming func commit() throws(FileReplacementFailure) -> SystemError? {
        guard unsafe rename(hidden, path) == 0 else {
            throw FileReplacementFailure(description: "\(path) was not changed (\(SystemError("rename")))")
        }
        isCommitted = true
        let number = unsafe open(directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory that this user may write to, but not read, is synced with all of its file system.
        guard number >= 0 else { return syncfs(file.number) == 0 ? nil : SystemError("syncfs") }
        let place = Descriptor(owning: number)
        return fsync(place.number) == 0 ? nil : SystemError("fsync")
    }

    deinit { if !isCommitted { unsafe unlink(hidden) } }
}
