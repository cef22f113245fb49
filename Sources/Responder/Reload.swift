import EventLoop
import Redis
import System
import Webhook

/// What the thread that serves the files of secrets has done.
enum ReloadWork: Sendable {
    case loaded(LoadedFiles)
    case wiped
}

/// What the files hold; nil where there is no such file.
struct LoadedFiles: Sendable {
    let secrets: Result<LoadedSecrets, SettingsFault>?
    let password: Result<String, SettingsFault>?
    let tls: Result<TLSContext, SettingsFault>?
}

enum LoadedSecrets: Sendable {
    case shared([UInt8])
    case tenants(TenantTable, TenantChanges, KeyPlaces, TenantAllowances?)
}

/// Reading the files of secrets again: on a thread, since a long one takes seconds, and a turn must not.
extension Responder {
    /// All of them, on HUP.
    mutating func reloadSecrets() {
        reload(passwordFile: settings.redisPasswordFile, tlsFiles: settings.redis.tls, isAsked: true)
    }

    /// - Parameter isAsked: by HUP; otherwise the tenants file was seen to have changed.
    private mutating func reload(passwordFile: String?, tlsFiles: TLSFiles?, isAsked: Bool) {
        let source = settings.secretSource
        let old = handler.secrets.tenants
        let keyUses = keyUses
        let directory = settings.runtimeDirectory
        guard source != .environment || passwordFile != nil || tlsFiles != nil else { return }
        guard !reloading.isBusy else {
            hasReloadWaiting = true
            return
        }
        tenantsWatch?.noteReading()
        let isStarted = reloading.start {
            defer { releaseFreeMemory() }
            let password = passwordFile.map { path in
                Result { () throws(SettingsFault) in try SecretFiles.readPassword(path) }
            }
            let secrets = LoadedSecrets.read(from: source, replacing: old, isAsked: isAsked, keyUses, directory)
            let tls = tlsFiles.map { files in
                Result { () throws(SettingsFault) in try TLSContext(reading: files) }
            }
            return .loaded(LoadedFiles(secrets: secrets, password: password, tls: tls))
        }
        if !isStarted {
            // Otherwise a key that was taken out of the file would be accepted until HUP or the next change.
            tenantsWatch?.noteNotRead()
            log.line(.error, "secrets not reloaded, still using the old ones: no thread or descriptor is available")
        }
    }

    /// On the thread's end.
    mutating func finishReload() {
        switch reloading.finish() {
        case nil: return
        case .wiped: break
        case .loaded(let files):
            if let password = files.password { take(password) }
            if let tls = files.tls { take(tls) }
            if let secrets = files.secrets { take(secrets) }
        }
        guard hasReloadWaiting, !reloading.isBusy else { return }
        hasReloadWaiting = false
        reloadSecrets()
    }

    private mutating func take(_ password: Result<String, SettingsFault>) {
        switch password {
        case .failure(let faults):
            log.line(.error, "Redis password not reloaded, still using the old one: \(faults.text)")
        case .success(let password):
            queue.setPassword(password)
            quarantine?.setPassword(password)
            log.line(.info, "Redis password reloaded: new connections use it")
        }
    }

    private mutating func take(_ tls: Result<TLSContext, SettingsFault>) {
        switch tls {
        case .failure(let faults):
            log.line(.error, "files for TLS to Redis not reloaded, still using the old ones: \(faults.text)")
        case .success(let context):
            network.tlsContext = context
            quarantine?.setTLS(context)
            log.line(.info, "files for TLS to Redis reloaded: new connections use them")
        }
    }

    private mutating func take(_ secrets: Result<LoadedSecrets, SettingsFault>) {
        switch (secrets, settings.secretSource) {
        case (.failure(let faults), .tenants):
            if faults.passesByItself { tenantsWatch?.noteNotRead() }
            // Tried again each second, and told once.
            guard !faults.passesByItself || faults.text != passingReloadFault else { break }
            passingReloadFault = faults.passesByItself ? faults.text : nil
            log.line(.error, "tenants not reloaded, still using the old ones: \(faults.text)")
        case (.failure(let faults), _):
            log.line(.error, "secret not reloaded, still using the old one: \(faults.text)")
        case (.success(.shared(let secret)), _):
            handler.secrets = Secrets(shared: secret)
            log.line(.info, "secret reloaded")
        case (.success(.tenants(let tenants, let changes, let places, let allowances)), _):
            let old = handler.secrets.tenants
            passingReloadFault = nil
            handler.secrets = Secrets(tenants: tenants)
            use(tenants, places)
            limit(by: allowances)
            log.line(.info, "tenants reloaded: \(tenants.count); \(changes)")
            for warning in tenants.warnings { log.line(.warning, "tenants file: \(warning)") }
            watchTenants()
            if let old { wipe(old) }
        }
    }

    // MARK: Changes of the file

    /// Begins to look at the tenants file each second if it is JSON, which cannot be mistaken for whole while it is being
    /// written. A file of lines that was cut at a line's end looks whole: it is read on HUP only.
    mutating func watchTenants() {
        guard !isWatchingTenants, handler.secrets.tenants?.isJSON == true else { return }
        isWatchingTenants = true
        scheduleLook()
    }

    mutating func lookAtTenants() {
        guard handler.secrets.tenants?.isJSON == true else {
            isWatchingTenants = false
            return
        }
        // While something else is going on, the next look will do. A reload that waits is one on HUP.
        if !reloading.isBusy, tenantsWatch?.look() == true { reload(passwordFile: nil, tlsFiles: nil, isAsked: false) }
        scheduleLook()
    }

    private func scheduleLook() { loop.schedule(loop.now + .seconds(1), Token(.reload)) }

    /// Wiping and freeing many megabytes takes a while, too.
    private mutating func wipe(_ tenants: TenantTable) {
        let isStarted = reloading.start {
            tenants.wipe()
            releaseFreeMemory()
            return .wiped
        }
        if !isStarted { tenants.wipe() }
    }
}

extension LoadedSecrets {
    /// Nil where they come from the environment, which does not change.
    fileprivate static func read(
        from source: SecretSource, replacing old: TenantTable?, isAsked: Bool, _ keyUses: KeyUses?,
        _ directory: String?
    ) -> Result<LoadedSecrets, SettingsFault>? {
        switch source {
        case .environment: nil
        case .file(let path): Result { () throws(SettingsFault) in .shared(try SecretFiles.readShared(path)) }
        case .tenants(let path):
            Result { () throws(SettingsFault) in
                let tenants = try SecretFiles.readTenants(path)
                if !isAsked && !tenants.isJSON {
                    throw SettingsFault(lines: [
                        "SERVICEDESK_TENANTS_FILE: \(path) is no longer JSON: once it is complete, send HUP"
                    ])
                }
                let changes = old.map { tenants.changes(since: $0) } ?? TenantChanges()
                return .tenants(
                    tenants, changes, KeyPlaces(of: tenants, in: keyUses),
                    TenantAllowances(of: tenants, directory: directory))
            }
        }
    }
}

extension TLSContext {
    convenience init(reading files: TLSFiles) throws(SettingsFault) {
        do throws(TLSFileFault) {
            try self.init(files)
        } catch {
            throw SettingsFault(lines: ["\(error)"])
        }
    }
}

extension SettingsFault {
    fileprivate var text: String { lines.joined(separator: "; ") }
}
