import COpenSSL
import Delivery
import Glibc
import TestSupport
import Testing

@testable import Redis

/// Who may connect to whom: certificates, names, versions and files.
struct TLSCertificateTests {
    private let rig = TLSRig()

    @Test func `the certificate must be of a trusted authority, and for the name or the address`() throws {
        let trusting = try rig.context()
        #expect(try rig.result(trusting, "127.0.0.1", isAddress: true).0 == .done)
        #expect(try rig.result(trusting, "127.0.0.2", isAddress: true).0 == .failed(.wrongName("127.0.0.2")))
        #expect(try rig.result(trusting, "other.test").0 == .failed(.wrongName("other.test")))
        // An address is not a name, not even where the certificate has it as one.
        let named = TLSRig(ThrowawayCertificate("DNS:127.0.0.1"))
        #expect(try named.result(named.context(), "127.0.0.1", isAddress: true).0 == .failed(.wrongName("127.0.0.1")))
        let stranger = ThrowawayCertificate()
        let strange = try TLSContext(TLSFiles(authorities: stranger.path))
        #expect(try rig.result(strange).0 == .failed(.unknownAuthority))
    }

    @Test func `a server is asked for by its name, but not by an address`() throws {
        let trusting = try rig.context()
        #expect(try rig.result(trusting).1.askedName == "redis.test")
        #expect(try rig.result(trusting, "127.0.0.1", isAddress: true).1.askedName == nil)
    }

    @Test(arguments: [(-7200 ... -3600, TLSFailure.expired), (3600...7200, .notYetValid)])
    func `the certificate must be valid now`(seconds: ClosedRange<Int>, expected: TLSFailure) throws {
        let suite = TLSRig(ThrowawayCertificate(valid: seconds))
        #expect(try suite.result(suite.context()).0 == .failed(expected))
    }

    @Test func `a server with nothing newer than TLS 1_1 is refused`() throws {
        let suite = TLSRig(rig.certificate, newest: TLS1_1_VERSION)
        #expect(try suite.result(suite.context()).0 == .failed(.noCommonVersion))
    }

    @Test func `a client certificate that is missing or of another authority is told from the others`() throws {
        let strict = MemoryTLSContext(rig.certificate, clientsOf: rig.certificate)
        func failure(_ files: TLSFiles) throws -> TLSStream.Reading {
            let (client, server) = (try rig.stream(try TLSContext(files)), MemoryTLSServer(strict))
            // With TLS 1.3 the client is done before the server has looked at its rig.certificate.
            _ = rig.exchange(client, server)
            let rest = server.takeOutput()
            client.feed(rest.span)
            return rig.read(client).1
        }
        let authorities = rig.certificate.path
        #expect(try failure(TLSFiles(authorities: authorities)) == .failed(.certificateRequired))
        let strange = ThrowawayCertificate()
        #expect(
            try failure(TLSFiles(authorities: authorities, certificate: strange.path, key: strange.keyPath))
                == .failed(.certificateRefused))
        let own = ThrowawayCertificate("DNS:client", issuer: rig.certificate)
        #expect(
            try failure(TLSFiles(authorities: authorities, certificate: own.path, key: own.keyPath)) == .needsMore)
    }

    @Test func `a name that begins with a full stop stands for no other`() throws {
        let suite = TLSRig(ThrowawayCertificate("DNS:redis.test"))
        let context = try suite.context()
        #expect(TLSStream(context, to: TLSServer(name: ".test", isAddress: false), resumes: true) == nil)
        #expect(TLSStream(context, to: TLSServer(name: "127.1", isAddress: true), resumes: true) == nil)
    }

    @Test func `the common name does not count as a name of the server`() throws {
        let suite = TLSRig(ThrowawayCertificate("IP:127.0.0.1"))
        #expect(try suite.result(suite.context(), "authority").0 == .failed(.wrongName("authority")))
    }

    @Test func `a CA that has its old name but a new key is unknown`() throws {
        // Its certificate has the same subject, and no key identifier that would tell them apart.
        let renewed = ThrowawayCertificate()
        let issued = TLSRig(ThrowawayCertificate(issuer: ThrowawayCertificate()))
        let context = try TLSContext(TLSFiles(authorities: renewed.path))
        #expect(try issued.result(context).0 == .failed(.unknownAuthority))
    }

    @Test func `with TLS 1_2 a client certificate that is missing is named as one of the reasons`() throws {
        let strict = MemoryTLSContext(rig.certificate, newest: TLS1_2_VERSION, clientsOf: rig.certificate)
        #expect(try rig.result(rig.context(), with: strict).0 == .failed(.handshakeRefused))
    }

    // MARK: Files

    private func fault(_ files: TLSFiles) -> String {
        do throws(TLSFileFault) {
            _ = try TLSContext(files)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func `files that cannot be used are told by the setting, the path and the reason`() throws {
        let (directory, own) = (TemporaryDirectory(), rig.certificate)
        let (fifo, key) = ("\(directory.path)/fifo", "\(directory.path)/key.pem")
        let isMade = unsafe mkfifo(fifo, 0o600) == 0
        #expect(isMade)
        #expect(
            fault(TLSFiles(authorities: "/none"))
                == "SERVICEDESK_REDIS_CA_FILE: /none cannot be used: No such file or directory")
        #expect(fault(TLSFiles(authorities: fifo)) == "SERVICEDESK_REDIS_CA_FILE: \(fifo) is not a regular file")
        #expect(
            fault(TLSFiles(certificate: fifo, key: own.keyPath))
                == "SERVICEDESK_REDIS_CERT_FILE: \(fifo) is not a regular file")
        #expect(
            fault(TLSFiles(certificate: own.path, key: fifo))
                == "SERVICEDESK_REDIS_KEY_FILE: \(fifo) is not a regular file")
        #expect(
            fault(TLSFiles(certificate: own.keyPath, key: own.keyPath))
                == "SERVICEDESK_REDIS_CERT_FILE: \(own.keyPath) cannot be used: "
                + "it is not PEM, or does not contain the expected certificate or key")
        #expect(fault(TLSFiles(key: own.keyPath)).contains("need each other: set both or neither"))
        #expect(fault(TLSFiles(certificate: own.path)).contains("need each other: set both or neither"))
        let other = ThrowawayCertificate()
        #expect(
            fault(TLSFiles(certificate: own.path, key: other.keyPath))
                == "SERVICEDESK_REDIS_KEY_FILE: \(other.keyPath) is not the key of SERVICEDESK_REDIS_CERT_FILE")
        own.writeKey(key, passPhrase: "secret")
        #expect(
            fault(TLSFiles(certificate: own.path, key: key))
                == "SERVICEDESK_REDIS_KEY_FILE: \(key) cannot be used: "
                + "it is encrypted: expected a key without a pass phrase")
        let isExposed = unsafe chmod(key, 0o644) == 0
        #expect(isExposed)
        #expect(fault(TLSFiles(certificate: own.path, key: key)).contains("chmod 640"))
    }
}
