import Glibc
package import System

/// Two connected sockets, each with its owner.
package struct Pair: ~Copyable {
    package let near: Descriptor
    package let far: Descriptor

    package init() throws {
        let (near, far) = try makeSocketPair()
        self.near = Descriptor(owning: near)
        self.far = Descriptor(owning: far)
    }

    /// Closes one end, and leaves the other.
    package consuming func closingFar() -> Descriptor { near }
}

/// Whether a number is that of an open descriptor.
package func isOpen(_ number: Int32) -> Bool { fcntl(number, F_GETFD) >= 0 }
