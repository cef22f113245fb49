import Glibc

/// Tells whether the content of a file has changed, without reading it.
package struct FileState: Equatable, Sendable {
    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let modified: (seconds: Int, nanoseconds: Int)
    private let changed: (seconds: Int, nanoseconds: Int)

    /// Nil where there is no such file.
    package init?(of path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        (device, inode, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
        modified = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        changed = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
    }

    package static func == (a: FileState, b: FileState) -> Bool {
        a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified == b.modified
            && a.changed == b.changed
    }
}

/// Finds out when a file has changed, and has then stayed the same from one look to the next.
package struct FileWatch {
    private let path: String
    /// As it was when it was read.
    private var read: FileState?
    /// As it was at the last look.
    private var seen: FileState?

    /// The file is about to be read for the first time.
    package init(_ path: String) {
        self.path = path
        read = FileState(of: path)
        seen = read
    }

    /// The file is about to be read again: what it holds by now does not count as a change.
    package mutating func noteReading() {
        read = FileState(of: path)
        seen = read
    }

    /// It was not read after all: the next look finds a change.
    package mutating func noteNotRead() { read = nil }

    /// Looks at the file. Returns whether it is to be read: it differs from what was read last, and is the same at two looks.
    package mutating func look() -> Bool {
        let state = FileState(of: path)
        defer { seen = state }
        guard state == seen, state != read else { return false }
        read = state
        return true
    }
}
