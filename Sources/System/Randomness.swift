import Glibc

/// Bytes of the kernel's generator, for secrets: getentropy(3) is getrandom(2).
package func randomBytes(_ count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard unsafe getentropy(&bytes, count) == 0 else { throw SystemError("getentropy") }
    return bytes
}
