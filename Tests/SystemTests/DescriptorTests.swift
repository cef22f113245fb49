import Glibc
import System
import TestSupport
import Testing

struct DescriptorTests {
    @Test func `bytes sent at one end are peeked at, counted and received at the other`() throws {
        let pair = try Pair()
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(pair.near.receive(into: &buffer) == .wouldBlock)
        #expect(pair.near.peek(into: &buffer) == .wouldBlock)
        #expect(pair.near.unread == 0)
        #expect(pair.far.send([1, 2, 3].span) == .bytes(3))
        #expect(pair.near.unread == 3)
        #expect(pair.near.peek(into: &buffer) == .bytes(3) && buffer == [1, 2, 3, 0, 0, 0, 0, 0])
        // A peek takes nothing away.
        #expect(pair.near.unread == 3)
        #expect(pair.near.receive(into: &buffer, after: 4) == .bytes(3) && buffer == [1, 2, 3, 0, 1, 2, 3, 0])
        #expect(pair.near.receive(into: &buffer) == .wouldBlock)
    }

    @Test func `no more is received than the buffer has room for`() throws {
        let pair = try Pair()
        #expect(pair.far.send([UInt8](1...9).span) == .bytes(9))
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(pair.near.peek(into: &buffer) == .bytes(4) && buffer == [1, 2, 3, 4])
        #expect(pair.near.receive(into: &buffer, after: 3) == .bytes(1) && buffer == [1, 2, 3, 1])
        #expect(pair.near.receive(into: &buffer) == .bytes(4) && buffer == [2, 3, 4, 5])
        #expect(pair.near.unread == 4)
    }

    @Test func `sending to a full socket would block`() throws {
        let pair = try Pair()
        let block = [UInt8](repeating: 7, count: 65_536)
        var sent = 0
        for _ in 0..<100 {
            guard case .bytes(let count) = pair.far.send(block.span) else { break }
            sent += count
        }
        #expect(sent > 0)
        #expect(pair.far.send(block.span) == .wouldBlock)
        #expect(pair.near.unread == sent)
    }

    @Test func `a closed peer is reported after its last bytes, and sending to it fails`() throws {
        let pair = try Pair()
        _ = pair.far.send([1].span)
        let near = pair.closingFar()
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(near.receive(into: &buffer) == .bytes(1))
        #expect(near.receive(into: &buffer) == .closed)
        #expect(near.peek(into: &buffer) == .closed)
        #expect(near.send([1].span) == .failed(EPIPE))
    }

    @Test func `a descriptor is closed when it goes out of scope`() throws {
        let pair = try Pair()
        let number = fcntl(pair.near.number, F_DUPFD_CLOEXEC, 900)
        do {
            let copy = Descriptor(owning: number)
            #expect(isOpen(copy.number))
        }
        #expect(!isOpen(number))
        #expect(isOpen(pair.near.number))
    }

    @Test func `a moved descriptor stays open until its new owner goes out of scope`() throws {
        let pair = try Pair()
        let number = fcntl(pair.near.number, F_DUPFD_CLOEXEC, 910)
        do {
            var first = Descriptor(owning: number)
            let second = consume first
            first = .none
            #expect(isOpen(number))
            #expect(second.number == number && first.number == -1)
        }
        #expect(!isOpen(number))
    }

    @Test func `a released descriptor stays open`() throws {
        let pair = try Pair()
        let number = fcntl(pair.near.number, F_DUPFD_CLOEXEC, 920)
        Descriptor(owning: number).release()
        #expect(isOpen(number))
        close(number)
    }

    @Test func `the sockets of a pair do not block, and are closed on exec`() throws {
        let pair = try Pair()
        for number in [pair.near.number, pair.far.number] {
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(number, F_GETFL) & O_NONBLOCK != 0)
        }
    }
}
