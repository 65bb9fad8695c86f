import Access
import Broker
import Configuration
import EventLoop
import Modules
import Twin

/// SIGHUP and `roost reload`: what changes without a restart, all of it or nothing.
extension Daemon {
    /// Reads the configuration, the access rules and the listeners' certificates again, and has modules that are new or changed
    /// look at their tables first. One at a time.
    ///
    /// - Parameter then: called once, at once or later, with the reason if it can't.
    func reload(then: @escaping (String?) -> Void) {
        guard !isStopping else { return then("roostd is stopping") }
        guard !isReloading else { return waitingReloads.append(then) }
        let renewed: Settings
        do throws(ConfigurationError) {
            renewed = try reread(nil)
        } catch {
            return then(keep("the configuration", error.problems.map(\.description)))
        }
        isReloading = true
        ModuleChecks(on: loop, settings.moduleSurroundings).start(startedModules(by: renewed)) {
            [unowned self] findings in
            isReloading = false
            guard !isStopping else { return then("roostd is stopping") }
            then(findings.isEmpty ? use(renewed) : keep(findings))
            let waiting = waitingReloads
            waitingReloads = []
            if !waiting.isEmpty { reload { reason in for one in waiting { one(reason) } } }
        }
    }

    /// The reader of the configuration knows the lines.
    private func keep(_ findings: [ModuleChecks.Finding]) -> String {
        do throws(ConfigurationError) {
            _ = try reread { _ in findings }
        } catch {
            return keep("the configuration", error.problems.map(\.description))
        }
        return keep("the configuration", findings.map { "\($0.path): \($0.text)" })
    }

    private func use(_ renewed: Settings) -> String? {
        let rules: AccessRules
        do throws(AccessProblems) {
            rules = try AccessRules(AccessSource(renewed.access))
        } catch {
            return keep("access", error.problems.map { "access.\($0.setting): \($0.text)" })
        }
        var certificates: [TLSServerContext?] = []
        do throws(TLSError) {
            for door in doors { certificates.append(try door.renewedCertificates()) }
        } catch {
            return keep("tls", ["\(error)"])
        }
        for (door, renewed) in zip(doors, certificates) {
            guard let renewed else { continue }
            door.use(renewed)
            for warning in renewed.warnings { logger.log(.warning, "tls: \(warning)") }
        }
        for warning in rules.warnings { logger.log(.warning, "access.\(warning.setting): \(warning.text)") }
        access.replace(rules)
        var current = settings
        current.access = renewed.access
        if let twins {
            twins.options = TwinOptions(renewed.twin)
            if renewed.twin != settings.twin { logger.log(.notice, "the rules for twins are read again") }
        }
        for door in doors { door.setLimits(of: current) }
        moduleSettings = renewed.modules
        modules.apply(moduleSettings)
        let ended = broker.accessChanged()
        let gone = ended == 0 ? "" : "; \(ended) \(ended == 1 ? "connection" : "connections") ended"
        logger.log(.notice, "access rules, certificates and modules are read again\(gone)")
        let others = renewed.changedKeys(from: settings).filter {
            !$0.hasPrefix("access.") && !$0.hasPrefix("module.") && (!$0.hasPrefix("twin.") || $0 == "twin.enabled")
        }
        if !others.isEmpty {
            logger.log(.notice, "changed, and in force after a restart: \(others.joined(separator: ", "))")
        }
        return nil
    }

    private func keep(_ what: String, _ problems: [String]) -> String {
        for problem in problems { logger.log(.error, "not reloaded: \(problem)") }
        return "\(what) can't be used, and nothing has changed:\n\(problems.joined(separator: "\n"))"
    }
}
