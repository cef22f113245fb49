import Bytes
import COpenSSL
import Webhook

/// A hash function that senders use.
enum Hash: String, CaseIterable {
    case md5 = "MD5"
    case sha1 = "SHA-1"
    case sha224 = "SHA-224"
    case sha256 = "SHA-256"
    case sha384 = "SHA-384"
    case sha512 = "SHA-512"

    /// Bytes of a digest.
    var length: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha224: 28
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    static let lengths = Set(allCases.map(\.length))

    private var function: OpaquePointer? {
        switch self {
        case .md5: unsafe EVP_md5()
        case .sha1: unsafe EVP_sha1()
        case .sha224: unsafe EVP_sha224()
        case .sha256: unsafe EVP_sha256()
        case .sha384: unsafe EVP_sha384()
        case .sha512: unsafe EVP_sha512()
        }
    }

    /// Empty if libcrypto does not offer the function, as for MD5 in FIPS mode.
    func digest(of text: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: length)
        let isDone = unsafe EVP_Digest(text, text.count, &digest, nil, function, nil)
        return isDone == 1 ? digest : []
    }

    /// Empty likewise.
    func hmac(of text: [UInt8], key: [UInt8]) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: length)
        let result = unsafe HMAC(function, key, Int32(key.count), text, text.count, &tag, nil)
        return unsafe result == nil ? [] : tag
    }
}

/// How a sender computes a signature: the assumption that a hypothesis changes.
struct Signing {
    enum Method: Equatable {
        case hmac
        /// With the text as the key, and the key as the text.
        case hmacSwapped
        case digestOfKeyThenText
        case digestOfTextThenKey
        case digestOfText
    }

    var key: [UInt8]
    var before: [UInt8] = []
    var body: [UInt8]
    var after: [UInt8] = []
    var hash = Hash.sha256
    var method = Method.hmac

    var signature: [UInt8] {
        let text = before + body + after
        return switch method {
        case .hmac: hash.hmac(of: text, key: key)
        case .hmacSwapped: hash.hmac(of: key, key: text)
        case .digestOfKeyThenText: hash.digest(of: key + text)
        case .digestOfTextThenKey: hash.digest(of: text + key)
        case .digestOfText: hash.digest(of: text)
        }
    }

    /// As the holder of a key signs a request's body.
    init(_ request: SavedRequest, with key: HeldKey) {
        self.key = key.form == nil ? key.secret.text ?? [] : key.material.bytes
        body = request.body
        var isBeforeBody = true
        for part in key.form?.signed ?? [.body] {
            switch part {
            case .body: isBeforeBody = false
            case .text(let text): if isBeforeBody { before += text } else { after += text }
            case .header(let name):
                let value = request.value(of: name) ?? []
                if isBeforeBody { before += value } else { after += value }
            }
        }
    }
}
