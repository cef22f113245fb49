import CLinux
import Glibc

/// The environment of the process.
package enum ProcessEnvironment {
    /// The values as bytes, which need not be UTF-8. If a name occurs twice, the first value counts, as in getenv(3).
    package static var all: [String: [UInt8]] {
        var variables: [String: [UInt8]] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let bytes = unsafe UnsafeRawBufferPointer(start: entry, count: strlen(entry))
            if let equals = unsafe bytes.firstIndex(of: UInt8(ascii: "=")),
                let name = unsafe String(validating: bytes[..<equals], as: UTF8.self), variables[name] == nil
            {
                variables[name] = unsafe [UInt8](bytes[(equals + 1)...])
            }
            unsafe next += 1
        }
        return variables
    }
}

/// Has the allocator return its free memory to the kernel: of what a thread has freed it keeps up to hundreds of megabytes.
/// It locks the heaps one after the other and takes as long as they have free blocks, so it is not for the loop.
package func releaseFreeMemory() { malloc_trim(0) }

/// Raises the limit on open descriptors as far as the system allows.
package func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
}

/// How many descriptors the process may have open.
package func descriptorLimit() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
}
