package import Delivery
import Glibc
package import System

/// A stream of bytes to a server, below the protocol: a plain socket, or whatever wraps one.
///
/// It never blocks. `send` may take bytes that the kernel does not have yet, and bytes may have been received that no poll
/// of the socket announces: `delivered`, `holdsOutput` and `hasBufferedInput` say so.
package protocol Transport: AnyObject {
    /// Goes on with connecting, and with a handshake where there is one.
    func establish() -> Establishment
    /// Takes as many of the bytes as it can; those are not to be offered again. Called without bytes, it passes on what it
    /// holds.
    func send(_ bytes: Span<UInt8>) -> Transfer
    /// Whether it holds bytes that it could not pass on to the kernel.
    var holdsOutput: Bool { get }
    /// How many of all the bytes that it has taken the kernel has, so that the server may act on them. Only `send` passes
    /// bytes on, and so changes this.
    var delivered: UInt64 { get }
    /// Receives behind `filled` bytes that the buffer holds already.
    func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer
    /// Whether bytes have been received that `receive` has not given yet.
    var hasBufferedInput: Bool { get }
    /// Asks to be woken for input, and for room to send where `wantsRoom`.
    func watch(wantsRoom: Bool) throws(SystemError)
    /// Whether the socket is connected, so that only a handshake may be under way.
    var isConnected: Bool { get }
    /// Why it has failed, if it knows more than the error number that it gave.
    var failure: ConnectionFailure? { get }
    func close()
}

/// A transport that its user can wait for.
package protocol WaitingTransport: Transport {
    /// Waits until the socket is readable or writable. Returns false at the deadline.
    func wait(for readiness: Readiness, until deadline: Instant) -> Bool
}

/// How far a transport has come with connecting.
package enum Establishment: Equatable {
    case established
    /// It goes on when the socket is readable, or writable where it wants room to send.
    case underWay(wantsRoom: Bool)
    /// connect(2) or the handshake has failed with this error number.
    case failed(Int32)
}

/// A socket, and nothing around it.
package final class PlainTransport: WaitingTransport {
    package private(set) var descriptor: Descriptor
    package private(set) var delivered: UInt64 = 0
    private let rewatch: (Int32, Readiness) throws(SystemError) -> Void

    /// - Parameter rewatch: changes what the descriptor is watched for.
    package init(
        _ descriptor: consuming Descriptor,
        rewatch: @escaping (Int32, Readiness) throws(SystemError) -> Void = { (_, _) throws(SystemError) in }
    ) {
        self.descriptor = descriptor
        self.rewatch = rewatch
    }

    package func establish() -> Establishment {
        // Asked once: asking takes the error away.
        let error = descriptor.pendingError
        guard error == 0 else { return .failed(error) }
        return descriptor.wait(for: .writable, until: Instant(nanoseconds: 0))
            ? .established : .underWay(wantsRoom: true)
    }

    package func send(_ bytes: Span<UInt8>) -> Transfer {
        let transfer = descriptor.send(bytes)
        if case .bytes(let count) = transfer { delivered += UInt64(count) }
        return transfer
    }

    package func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        descriptor.receive(into: &buffer, after: filled)
    }

    package var failure: ConnectionFailure? { nil }
    /// It has no handshake.
    package var isConnected: Bool { false }
    package var holdsOutput: Bool { false }
    package var hasBufferedInput: Bool { false }

    package func wait(for readiness: Readiness, until deadline: Instant) -> Bool {
        // A server that always has something to send would otherwise be waited for without end.
        Instant.now < deadline && descriptor.wait(for: readiness, until: deadline)
    }

    package func watch(wantsRoom: Bool) throws(SystemError) {
        try rewatch(descriptor.number, wantsRoom ? [.readable, .writable] : .readable)
    }

    package func close() { descriptor = .none }
}
