import System
import TestSupport
import Testing

@testable import Delivery

struct WaitingRoomTests {
    private func item(_ sequence: UInt64, _ text: String = "x") -> WaitingRoom.Item {
        let deadline = Instant(nanoseconds: 1_000 + sequence)
        return WaitingRoom.Item(
            push: Push(sequence: sequence, waiter: 0, deadline: deadline, isProbe: false, encoding: .plain),
            bytes: utf8(text), notBefore: Instant(nanoseconds: 0))
    }

    /// Every order of some numbers.
    private func orders(of numbers: [UInt64]) -> [[UInt64]] {
        guard let first = numbers.first else { return [[]] }
        return orders(of: Array(numbers.dropFirst())).flatMap { rest in
            (0...rest.count).map { Array(rest[..<$0]) + [first] + Array(rest[$0...]) }
        }
    }

    @Test func `whatever the order of insertion, the oldest push comes first`() {
        for order in orders(of: [1, 2, 3, 5, 8, 13]) {
            var room = WaitingRoom()
            for sequence in order { room.insert(item(sequence)) }
            #expect(room.items.map(\.push.sequence) == [1, 2, 3, 5, 8, 13])
            #expect(room.deadline == Instant(nanoseconds: 1_001))
        }
    }

    @Test func `bytes are counted in and out`() {
        var room = WaitingRoom()
        #expect(room.isEmpty && room.byteCount == 0 && room.deadline == .never)
        for (sequence, text) in [(3, "ccc"), (1, "a"), (2, "bb")] as [(UInt64, String)] {
            room.insert(item(sequence, text))
        }
        #expect(room.byteCount == 6 && !room.isEmpty)
        var seen: [UInt64] = []
        room.keep { item in
            seen.append(item.push.sequence)
            return item.push.sequence != 3
        }
        #expect(seen == [1, 2, 3])
        #expect(room.byteCount == 3 && room.items.map(\.bytes.text) == ["a", "bb"])
        room.keep { _ in false }
        #expect(room.isEmpty && room.byteCount == 0 && room.deadline == .never)
    }

    @Test func `what is kept may change`() {
        var room = WaitingRoom()
        room.insert(item(1))
        room.keep { item in
            item.push.attempts = 2
            item.notBefore = .never
            return true
        }
        #expect(room.items[0].push.attempts == 2 && room.items[0].notBefore == .never && room.byteCount == 1)
    }
}
