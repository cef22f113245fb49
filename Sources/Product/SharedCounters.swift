/// What other programs may read in the counters that the processes of one socket share.
package enum SharedCounters {
    /// Changes whenever a number's meaning does; processes of another layout use another file.
    package static let layout = 2
    /// The number of the gauge that tells which tenants file a process uses: its digest, or 0.
    package static let tenantsDigest = 11
}
