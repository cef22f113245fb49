import COpenSSL
import Glibc

/// A certificate and its key in a directory of their own. By default it has signed itself, so that it is its own CA.
@safe package final class ThrowawayCertificate {
    private let directory = TemporaryDirectory()
    private let certificate: OpaquePointer
    private let key: OpaquePointer

    /// Files in PEM.
    package var path: String { "\(directory.path)/certificate.pem" }
    package var keyPath: String { "\(directory.path)/key.pem" }

    /// - Parameters:
    ///   - names: for whom it is, as OpenSSL writes a subjectAltName.
    ///   - issuer: whose key signs it; nil: its own.
    ///   - seconds: when it is valid, from now.
    package init(
        _ names: String = "DNS:redis.test,IP:127.0.0.1", issuer: ThrowawayCertificate? = nil,
        valid seconds: ClosedRange<Int> = -3600...86_400
    ) {
        let generator = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
        var made: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(generator) == 1, unsafe EVP_PKEY_keygen(generator, &made) == 1,
            let key = unsafe made, let certificate = unsafe X509_new()
        else { fatalError("no key can be made") }
        unsafe EVP_PKEY_CTX_free(generator)
        unsafe (self.key, self.certificate) = (key, certificate)
        unsafe X509_set_version(certificate, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
        unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), seconds.lowerBound)
        unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), seconds.upperBound)
        unsafe X509_set_pubkey(certificate, key)
        let subject = unsafe X509_get_subject_name(certificate)
        let name = issuer == nil ? "authority" : "server"
        unsafe X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0)
        unsafe X509_set_issuer_name(certificate, issuer.map { unsafe X509_get_subject_name($0.certificate) } ?? subject)
        let authority = issuer == nil ? [(NID_basic_constraints, "critical,CA:TRUE")] : []
        for (kind, value) in authority + [(NID_subject_alt_name, names)] {
            let addition = unsafe X509V3_EXT_conf_nid(nil, nil, kind, value)
            unsafe X509_add_ext(certificate, addition, -1)
            unsafe X509_EXTENSION_free(addition)
        }
        guard unsafe X509_sign(certificate, issuer?.key ?? key, nil) > 0 else { fatalError("not signed") }
        unsafe write(path) { unsafe PEM_write_bio_X509($0, certificate) }
        unsafe write(keyPath) { unsafe PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        let isPrivate = unsafe chmod(keyPath, 0o600) == 0
        precondition(isPrivate)
    }

    /// Writes the key to a file of its own, encrypted.
    package func writeKey(_ path: String, passPhrase: String) {
        var phrase = Array(passPhrase.utf8)
        let count = Int32(phrase.count)
        unsafe write(path) {
            unsafe PEM_write_bio_PrivateKey($0, key, EVP_aes_256_cbc(), &phrase, count, nil, nil)
        }
        let isPrivate = unsafe chmod(path, 0o600) == 0
        precondition(isPrivate)
    }

    private func write(_ path: String, _ body: (OpaquePointer) -> Int32) {
        guard let file = unsafe BIO_new_file(path, "w"), unsafe body(file) == 1 else {
            fatalError("\(path) not written")
        }
        unsafe BIO_free(file)
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }
}
