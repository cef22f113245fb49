import COpenSSL
import Redis
import TestSupport

/// What TLS needs in a simulation: certificates, and random numbers that come from the seed.
final class SimulatedTLS {
    private static let names = "DNS:redis.example,IP:10.0.0.1,IP:10.0.0.2,IP:10.0.0.3"

    private let authority = ThrowawayCertificate("DNS:ca")
    private let certificates: [ThrowawayCertificate]
    /// Of nobody whom the pool trusts.
    private let stranger = ThrowawayCertificate(names)

    init() {
        certificates = [0, 1].map { [authority] _ in ThrowawayCertificate(SimulatedTLS.names, issuer: authority) }
        SeededRandom.install()
    }

    /// From here on OpenSSL's random numbers are those of the seed.
    func begin(seed: UInt64) { unsafe SeededRandom.numbers = SplitMix64(seed: seed) }

    /// What the pool's connections have in common.
    func clientContext() -> TLSContext { try! TLSContext(TLSFiles(authorities: authority.path)) }

    /// A server's, which does not know the sessions of the one before.
    func serverContext(_ world: World) -> MemoryTLSContext { MemoryTLSContext(world.random.pick(certificates)) }

    func untrustedContext() -> MemoryTLSContext { MemoryTLSContext(stranger) }
}

/// In place of OpenSSL's generator, so that a seed always makes the same bytes.
private enum SeededRandom {
    nonisolated(unsafe) static var numbers = SplitMix64(seed: 0)
    nonisolated(unsafe) private static var method = unsafe RAND_METHOD(
        seed: nil, bytes: SeededRandom.fill, cleanup: nil, add: nil, pseudorand: SeededRandom.fill, status: { 1 })

    private static let fill: @convention(c) (UnsafeMutablePointer<UInt8>?, Int32) -> Int32 = { bytes, count in
        guard let bytes = unsafe bytes else { return 0 }
        for index in 0..<Int(count) { unsafe bytes[index] = UInt8(truncatingIfNeeded: SeededRandom.numbers.next()) }
        return 1
    }

    static func install() { precondition(unsafe RAND_set_rand_method(&method) == 1) }
}
