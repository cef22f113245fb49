import EventLoop
import Glibc
import System
import TestSupport
import Testing

struct LoopTests {
    @Test func `a readable descriptor is reported to its owner for as long as it is readable`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        let token = Token(.redisConnection, slot: 70_000, generation: 500)
        try loop.watch(pair.near.number, for: [.readable, .closed], as: token)
        #expect(loop.turn(within: .milliseconds(1)).isEmpty)
        #expect(pair.far.send([1].span) == .bytes(1))
        let events = loop.turn()
        #expect(events.map(\.token) == [token] && events.first?.readiness == .readable)
        // It is reported again for as long as it is readable.
        #expect(loop.turn().count == 1)
    }

    @Test func `an edge-triggered event is reported once for each change`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        try loop.watch(pair.near.number, for: [.readable, .edge], as: Token(.listener))
        _ = pair.far.send([1].span)
        #expect(loop.turn().count == 1)
        #expect(loop.turn(within: .milliseconds(1)).isEmpty)
        _ = pair.far.send([1].span)
        #expect(loop.turn().count == 1)
    }

    @Test func `a closed peer is reported`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        try loop.watch(pair.near.number, for: [.readable, .closed, .edge], as: Token(.listener))
        let near = pair.closingFar()
        let events = loop.turn()
        #expect(events.count == 1 && events.first?.readiness.isDisjoint(with: .closed) == false)
        #expect(near.number >= 0)
    }

    @Test func `a watch can be changed and ended`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        try loop.watch(pair.near.number, for: .readable, as: Token(.listener))
        #expect(loop.turn(within: .milliseconds(1)).isEmpty)
        try loop.rewatch(pair.near.number, for: .writable, as: Token(.webConnection))
        let events = loop.turn()
        #expect(events.map(\.token) == [Token(.webConnection)] && events.first?.readiness == .writable)
        loop.unwatch(pair.near.number)
        #expect(loop.turn(within: .milliseconds(1)).isEmpty)
    }

    @Test func `watching a descriptor twice fails with an error that names the call`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        try loop.watch(pair.near.number, for: .readable, as: Token(.listener))
        let error = #expect(throws: SystemError.self) {
            try loop.watch(pair.near.number, for: .readable, as: Token(.listener))
        }
        #expect(error?.code == EEXIST && error?.description == "epoll_ctl: File exists")
    }

    @Test func `one turn reports every descriptor that is ready`() throws {
        let loop = try EventLoop()
        let pair = try Pair()
        _ = pair.far.send([1].span)
        // Copies of one descriptor stand in for many sockets.
        let copies = (0..<20).map { _ in fcntl(pair.near.number, F_DUPFD_CLOEXEC, 0) }
        defer { for copy in copies { close(copy) } }
        for (slot, copy) in copies.enumerated() {
            try loop.watch(copy, for: .readable, as: Token(.listener, slot: slot))
        }
        #expect(Set(loop.turn().map(\.token.slot)) == Set(0..<20))
    }

    @Test func `a look takes what has become ready since the turn began, and does not sleep`() throws {
        let loop = try EventLoop()
        let first = try Pair()
        let second = try Pair()
        try loop.watch(first.near.number, for: [.readable, .edge], as: Token(.redisConnection, slot: 0))
        try loop.watch(second.near.number, for: [.readable, .edge], as: Token(.redisConnection, slot: 1))
        _ = first.far.send([1].span)
        #expect(loop.turn().map(\.token) == [Token(.redisConnection, slot: 0)])
        _ = second.far.send([1].span)
        #expect(loop.look() == 1 && loop.event(0).token == Token(.redisConnection, slot: 1))
        let start = Instant.now
        #expect(loop.look() == 0 && start + .milliseconds(500) > .now)
    }

    @Test func `a turn without events ends at its limit or at the next timer`() throws {
        let loop = try EventLoop()
        let start = Instant.now
        #expect(loop.wait(until: start + .milliseconds(20)) == 0)
        #expect(loop.now >= start + .milliseconds(20))
        loop.schedule(loop.now + .milliseconds(10), Token(.redisPool))
        let before = loop.now
        #expect(loop.wait(until: before + .seconds(60)) == 0)
        #expect(loop.now >= before + .milliseconds(10) && loop.now < before + .seconds(30))
        #expect(loop.allDue() == [Token(.redisPool)])
        // A limit in the past does not wait.
        #expect(loop.wait(until: start) == 0)
        #expect(loop.wait(until: Instant(nanoseconds: 0)) == 0)
    }

    @Test(arguments: [
        (Token.Owner.listener, 0, UInt16.min), (.reload, 0, 0), (.signals, Int(UInt32.max), 0),
        (.webConnection, 0, .max), (.redisConnection, Int(UInt32.max), .max), (.resolver, 0x8000_0000, 0x8000),
    ])
    func `a token read back from its bits is the same token`(owner: Token.Owner, slot: Int, generation: UInt16) {
        let token = Token(owner, slot: slot, generation: generation)
        let copy = Token(bits: token.bits)
        #expect(copy == token)
        #expect(copy.owner == owner && copy.slot == UInt32(slot) && copy.generation == generation)
    }

    @Test func `different tokens have different bits`() {
        let tokens = [Token.Owner.listener, .redisPool, .reload].flatMap { owner in
            [0, 1, 65_536].flatMap { slot in [0, 1, 65_535].map { Token(owner, slot: slot, generation: $0) } }
        }
        #expect(Set(tokens.map(\.bits)).count == tokens.count)
    }
}
