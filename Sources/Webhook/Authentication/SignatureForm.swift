/// How a mode signs, and where it writes the signature: for tools that look for a sender's mistake.
package struct SignatureForm {
    /// A part of what is signed.
    package enum Part: Equatable {
        case body
        case text([UInt8])
        /// The value of a header.
        case header(String)
    }

    /// A signed time.
    package struct Time {
        package let header: String
        package let format: SignedTime
        /// Seconds.
        package let tolerance: Int
    }

    package let header: String
    /// What stands before the signature.
    package var prefix: [UInt8] = []
    package var isPrefixOptional = false
    /// Whether there may be several, with spaces between them.
    package var isList = false
    package var encoding = HMACMode.Encoding.hex
    /// In the order in which they are signed. The body is one of them.
    package var signed: [Part] = [.body]
    package var time: Time?

    init(header: String) { self.header = header }
}
