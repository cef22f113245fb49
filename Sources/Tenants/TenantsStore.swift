import JSON
package import System
import Webhook

/// Why the tenants file cannot be read or edited.
package struct TenantsStoreFault: Error, CustomStringConvertible {
    package let description: String
}

/// The tenants file on the disk.
package struct TenantsStore {
    /// Seconds that an edit waits for another.
    private static let patience = 30.0

    /// As the responder is given it: other files are relative to its directory.
    package let path: String

    package init(path: String) { self.path = path }

    /// A valid file.
    package struct Content {
        package let document: TenantsDocument
        package let isJSON: Bool
    }

    /// Reads the file, and checks it as the responder does.
    package func read() throws(TenantsStoreFault) -> Content {
        let text = try readText()
        if text.first == UInt8(ascii: "{") {
            return Content(document: try document(of: text).document, isJSON: true)
        }
        do {
            return Content(document: try TenantsDocument(lines: text.span), isJSON: false)
        } catch {
            throw TenantsStoreFault(description: "\(path): \(error)")
        }
    }

    /// The digest of the file as it is now, as the processes that use it tell it.
    package func digest() throws(TenantsStoreFault) -> Int {
        let text = try readText()
        return TenantTable.fileDigest(of: text.span)
    }

    func readText() throws(TenantsStoreFault) -> [UInt8] {
        do throws(SecretFileFault) {
            let text = try readSecretFile(path, limit: TenantsFile.sizeLimit)
            guard !text.isEmpty else { throw SecretFileFault.empty }
            return text
        } catch {
            throw TenantsStoreFault(description: "\(path) \(error)")
        }
    }

    private func document(
        of text: [UInt8]
    ) throws(TenantsStoreFault) -> (document: TenantsDocument, headerLines: [String]) {
        let lines = try check(text, "\(path) has faults: mend them first")
        do {
            return (try TenantsDocument(text.span), lines)
        } catch {
            throw TenantsStoreFault(description: "\(path): \(error.kind.rawValue) at byte \(error.offset)")
        }
    }

    /// Checks a text as the responder does. Returns the lines that nginx's pass.conf may lack for its headers.
    private func check(_ text: [UInt8], _ subject: String) throws(TenantsStoreFault) -> [String] {
        guard text.count <= TenantsFile.sizeLimit else {
            throw TenantsStoreFault(description: "\(subject): more than \(TenantsFile.sizeLimit) bytes")
        }
        do throws(TenantsFileFault) {
            let table = try TenantsJSON.parse(text.span, readSecret: readSecret)
            return Secrets(tenants: table).headers.missingLines
        } catch {
            throw TenantsStoreFault(description: "\(subject): \(error)")
        }
    }

    /// Reads the secret in a file that the tenants file names.
    func readSecret(_ name: String) -> Result<[UInt8], SecretReadFault> {
        Result { () throws(SecretFileFault) in try System.readSecret(name, besides: path) }
            .mapError { SecretReadFault(description: "\($0)") }
    }

    // MARK: Writing

    /// What an operator should know of an edit.
    package struct Outcome {
        /// Whether the file did not exist before.
        package let isNew: Bool
        /// The lines that nginx's pass.conf may lack for headers that the file did not name before.
        package let headerLines: [String]
        /// Why a crash of the machine could undo the edit; nil if none can.
        package let doubt: SystemError?
    }

    /// Edits the file: readers see either the old file or the new one, and edits at the same time are made one after another.
    /// If the result has a fault, or anything else fails, the old file stays.
    ///
    /// - Parameters:
    ///   - creating: whether a file that does not exist is made.
    ///   - announce: is called last, just before the new file takes the place of the old one.
    package func edit(
        creating: Bool = false, _ change: (inout TenantsDocument) throws -> Void, announce: () throws -> Void
    ) throws -> Outcome {
        let replacement = try FileReplacement(of: path, waitingUntil: .now + .seconds(TenantsStore.patience))
        var document = TenantsDocument()
        var lines: [String] = []
        let isNew = replacement.isFirst && creating
        if !isNew {
            let text = try readText()
            guard text.first == UInt8(ascii: "{") else {
                throw TenantsStoreFault(
                    description: "\(path) is a file of lines: edit it by hand, or see `servicedeskctl tenant convert`")
            }
            (document, lines) = try self.document(of: text)
        }
        try change(&document)
        let (newLines, doubt) = try put(document, in: replacement, announce)
        return Outcome(isNew: isNew, headerLines: newLines.filter { !lines.contains($0) }, doubt: doubt)
    }

    /// Writes the file, which is one of lines, as JSON: in its own place, or as a new file with the same rights.
    ///
    /// - Returns: why a crash of the machine could undo that; nil if none can.
    package func convert(to store: TenantsStore) throws -> SystemError? {
        let replacement = try FileReplacement(
            of: store.path, rightsOf: path, waitingUntil: .now + .seconds(TenantsStore.patience))
        guard replacement.isFirst || store.path == path else {
            throw TenantsStoreFault(description: "\(store.path) exists already: name another file, or remove it")
        }
        let content = try read()
        guard !content.isJSON else { throw TenantsStoreFault(description: "\(path) is JSON already") }
        return try store.put(content.document, in: replacement) {}.doubt
    }

    private func put(
        _ document: TenantsDocument, in replacement: consuming FileReplacement, _ announce: () throws -> Void
    ) throws -> (headerLines: [String], doubt: SystemError?) {
        let text = document.text
        let lines = try check(text, "nothing was changed, since \(path) would have faults")
        try replacement.prepare(text.span)
        try announce()
        return (lines, try replacement.commit())
    }
}
