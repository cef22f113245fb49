/// A delivery that its sender has named, so that a repeat can be recognized.
package struct Delivery {
    package let tenantID: [UInt8]
    /// The `webhook-id` or `Idempotency-Key`.
    package let id: [UInt8]
    /// SHA-256 of the body: the same name with another body is a conflict.
    package let digest: Tag
}

/// Where jobs go.
package protocol JobQueue {
    /// Takes a job to be queued. The result comes later, to `waiter`; a queue that cannot take the job returns the
    /// reason at once.
    ///
    /// - Parameters: - job: the job's JSON. - id: its `job_id`, 36 characters. - delivery: the name under which the job
    ///   is queued only once.
    mutating func push(_ job: Span<UInt8>, id: [UInt8], delivery: Delivery?, waiter: UInt64) -> Reason?
}
