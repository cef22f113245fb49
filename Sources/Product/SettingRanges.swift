/// What a setting that both programs read may be.
package enum SettingRanges {
    /// Seconds.
    package static let deliveryWindow = 0...31_536_000
}
