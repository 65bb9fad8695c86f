import Access
import Broker
import Configuration
import EventLoop
import Twin

/// SIGHUP and `roost reload`: what changes without a restart, all of it or nothing.
extension Daemon {
    /// Reads the configuration, the access rules and the listeners' certificates again; the reason if it can't.
    func reload() -> String? {
        let renewed: Settings
        let rules: AccessRules
        do throws(ConfigurationError) {
            renewed = try reread()
        } catch {
            return keep("the configuration", error.problems.map(\.description))
        }
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
        let ended = broker.accessChanged()
        let gone = ended == 0 ? "" : "; \(ended) \(ended == 1 ? "connection" : "connections") ended"
        logger.log(.notice, "access rules and certificates are read again\(gone)")
        let others = renewed.changedKeys(from: settings)
            .filter { !$0.hasPrefix("access.") && (!$0.hasPrefix("twin.") || $0 == "twin.enabled") }
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
