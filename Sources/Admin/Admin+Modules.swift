import JSON
import Modules

/// Bridge modules, as they are looked at and told from outside.
public protocol AdministeredModules: AnyObject {
    /// In the order of the configuration.
    var reports: [ModuleReport] { get }
    /// False: there is none of this name.
    func restart(_ name: String) -> Bool
}

extension ModuleHost: AdministeredModules {}

extension Admin {
    var moduleReports: [ModuleReport] { modules?.reports ?? [] }

    /// `roost modules`.
    func moduleList() -> HTTPResponse {
        .json { json in
            json.array { json in
                for report in moduleReports {
                    json.object { json in
                        json.member("name", report.name)
                        json.member("program", report.program)
                        json.member("state", report.state.rawValue)
                        json.member("pid", report.pid.map { Int($0) })
                        json.member("restarts", report.restarts)
                        json.member("error", report.error)
                    }
                }
            }
        }
    }

    /// `roost modules restart NAME`.
    func restart(module name: String) -> HTTPResponse {
        guard modules?.restart(name) == true else {
            let names = moduleReports.map(\.name).joined(separator: ", ")
            return .failure(
                .notFound, "no module \(name). \(names.isEmpty ? "None is configured" : "There is: \(names)")")
        }
        actions.log(.notice, "module \(name): restart, by an administrator")
        return .done
    }

    /// One that has just been started, and has not failed before, is no news.
    var moduleWarnings: [Warning] {
        moduleReports.compactMap { report in
            switch report.state {
            case .running, .stopped: return nil
            case .failed:
                return Warning(
                    text: "module \(report.name) cannot be started: \(report.error ?? "")", isDegrading: true)
            case .starting, .waiting, .stopping:
                return report.error.map { Warning(text: "module \(report.name) is down: \($0)", isDegrading: true) }
            }
        }
    }

    func addModules(to text: inout PrometheusText) {
        let reports = moduleReports
        guard !reports.isEmpty else { return }
        text.add(
            "roost_module_up", .gauge, "The module's process runs and is connected.",
            reports.map { .init($0.isUp ? 1 : 0, ("module", $0.name)) })
        text.add(
            "roost_module_restarts_total", .counter, "Starts of the module's process after the first.",
            reports.map { .init(Double($0.restarts), ("module", $0.name)) })
    }
}
