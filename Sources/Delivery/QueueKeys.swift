/// The names of keys that belong to a queue.
package enum QueueKeys {
    /// `{queue}:name`, so that a cluster keeps the key in the queue's slot. A queue that has a hash tag of its own keeps that
    /// one (Redis Cluster Specification, "Hash tags").
    package static func beside(_ queue: String, _ name: String) -> String {
        guard let open = queue.firstIndex(of: "{"), let close = queue[open...].firstIndex(of: "}"),
            queue.index(after: open) < close
        else { return "{\(queue)}:\(name)" }
        return "\(queue):\(name)"
    }

    /// The stream of requests that were refused, and the prefix of the keys that count them.
    package static func quarantine(of queue: String) -> String { beside(queue, "quarantine") }
}
