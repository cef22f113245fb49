import Bytes
import JSON
import Webhook

extension TenantsDocument {
    /// The text of a file of lines as a document: the keys are called 1, 2 and 3, as the log calls them.
    package init(lines text: Span<UInt8>) throws {
        do throws(TenantsFileFault) {
            _ = try TenantsFile.parse(text)
        } catch {
            throw EditRefusal("\(error)")
        }
        var tenants: [JSONTree] = []
        var faults: [String] = []
        TenantsFile.forEachLine(of: text) { number, id, secrets in
            let keys = secrets.enumerated().map { index, secret -> JSONTree in
                let bytes = [UInt8](copying: text.extracting(secret))
                guard let secret = String(validating: bytes, as: UTF8.self) else {
                    faults.append("line \(number): a secret is not valid UTF-8, as JSON must be: rotate it first")
                    return ""
                }
                return ["id": "\(index + 1)", "mode": .string(ServiceDeskMode.name), "secret": .string(secret)]
            }
            tenants.append([
                "id": .string(String(decoding: [UInt8](copying: text.extracting(id)), as: UTF8.self)),
                "keys": .array(keys),
            ])
        }
        if let fault = faults.first { throw EditRefusal(fault) }
        self.init(root: ["tenants": .array(tenants)])
    }
}
