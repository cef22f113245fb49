/// A delivery that its sender has named, so that it can be recognised when it comes again.
package struct NamedDelivery {
    package let tenantID: [UInt8]
    /// The `webhook-id` or `Idempotency-Key`.
    package let id: [UInt8]
    /// Whether the id is signed: an unsigned one cannot take its place.
    package let isSigned: Bool
    /// SHA-256 of the body: the same name with another body is a conflict.
    package let digest: Tag
}

/// Finds the request that a job was made for once the queue has its result. A request that has ended meanwhile is not
/// found: the next one in its place has another generation.
package struct RequestHandle: Hashable, Sendable {
    package let slot: UInt32
    package let generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    package init(bits: UInt64) {
        slot = UInt32(truncatingIfNeeded: bits)
        generation = UInt32(truncatingIfNeeded: bits >> 32)
    }

    package var bits: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// Where jobs go.
package protocol JobQueue {
    /// Takes a job to be queued. The result comes later, for `request`; a queue that cannot take the job says so at once.
    ///
    /// - Parameters:
    ///   - job: the job's JSON.
    ///   - id: its `job_id`, 36 characters.
    ///   - delivery: what makes pushing it twice the same as once.
    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason?
}
