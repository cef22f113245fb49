import System
import Webhook

/// What the thread that serves the tenants file has done.
enum TenantWork: Sendable {
    case loaded(Result<TenantTable, SettingsFault>)
    case wiped
}

/// Reading the tenants file again: on a thread, since a long one takes seconds, and a turn must not.
extension Responder {
    mutating func reloadTenants() {
        guard let path = settings.tenantsFile else { return }
        guard !tenantReload.isBusy else {
            hasReloadWaiting = true
            return
        }
        let isStarted = tenantReload.start {
            do throws(SettingsFault) {
                return .loaded(.success(try Settings.readTenants(path)))
            } catch {
                return .loaded(.failure(error))
            }
        }
        if !isStarted { log.line(.error, "tenants not reloaded, still using the old ones: no thread can be started") }
    }

    /// On the thread's end.
    mutating func finishReload() {
        switch tenantReload.finish() {
        case nil: return
        case .wiped: break
        case .loaded(.failure(let faults)):
            let reason = faults.lines.joined(separator: "; ")
            log.line(
                .error, "tenants not reloaded, still using the old ones: SERVICEDESK_TENANTS_FILE: \(reason)")
        case .loaded(.success(let tenants)):
            let old = handler.secrets.tenants
            handler.secrets = Secrets(tenants: tenants)
            log.line(.info, "tenants reloaded: \(tenants.count)")
            if let old { wipe(old) }
        }
        guard hasReloadWaiting, !tenantReload.isBusy else { return }
        hasReloadWaiting = false
        reloadTenants()
    }

    /// Wiping and freeing many megabytes takes a while, too.
    private mutating func wipe(_ tenants: TenantTable) {
        let isStarted = tenantReload.start {
            tenants.wipe()
            return .wiped
        }
        if !isStarted { tenants.wipe() }
    }
}
