import Glibc

extension [UInt8] {
    /// Overwrites the bytes with zeros, in place. Other arrays with the same bytes keep theirs: wipe a secret where it is
    /// stored, not through another name.
    package mutating func wipe() {
        unsafe withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
        }
    }
}
