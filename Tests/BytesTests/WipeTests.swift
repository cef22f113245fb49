import Bytes
import TestSupport
import Testing

struct WipeTests {
    /// The contents and the address of an array that a class holds, as `TenantTable` holds its keys.
    private final class Holder {
        var bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    private func address(_ bytes: [UInt8]) -> UInt {
        unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }

    @Test(arguments: [1, 32, 4096])
    func `wiping leaves zeros where the bytes were`(count: Int) {
        var bytes = [UInt8](repeating: 0xA5, count: count)
        let place = address(bytes)
        bytes.wipe()
        #expect(bytes == [UInt8](repeating: 0, count: count) && address(bytes) == place)
    }

    @Test func `a property of an object is wiped in place`() {
        let holder = Holder([UInt8](repeating: 0xA5, count: 64))
        let place = address(holder.bytes)
        holder.bytes.wipe()
        #expect(holder.bytes == [UInt8](repeating: 0, count: 64) && address(holder.bytes) == place)
    }

    @Test func `a value inside an optional is wiped in place`() {
        var bytes: [UInt8]? = [UInt8](repeating: 0xA5, count: 64)
        let place = bytes.map(address)
        bytes?.wipe()
        #expect(bytes == [UInt8](repeating: 0, count: 64) && bytes.map(address) == place)
    }

    @Test func `another array keeps its bytes`() {
        var bytes = utf8("secret")
        let other = bytes
        bytes.wipe()
        #expect(other == utf8("secret") && bytes != other)
    }

    @Test func `an empty array is wiped too`() {
        var bytes: [UInt8] = []
        bytes.wipe()
        #expect(bytes.isEmpty)
    }
}
