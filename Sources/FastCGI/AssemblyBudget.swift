/// Limits the memory that the assemblies of one process hold together.
package final class AssemblyBudget {
    /// Bytes of all assemblies together, at most.
    static let limit = 67_108_864

    private var available: Int

    /// - Parameter bytesEach: what one assembly holds, at most.
    package init(bytesEach: Int) { available = AssemblyBudget.limit / bytesEach }

    /// One assembly's share, which returns to the budget when it is released.
    package struct Share: ~Copyable {
        fileprivate let budget: AssemblyBudget

        deinit { budget.available += 1 }
    }

    /// Takes a share; nil if none is left. An assembly with a share can always finish.
    package func takeShare() -> Share? {
        guard available > 0 else { return nil }
        available -= 1
        return Share(budget: self)
    }
}
