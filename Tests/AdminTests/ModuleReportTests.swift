import Modules
import Testing

@testable import Admin

/// Bridge modules, as the admin interface shows and steers them.
@Suite final class ModuleReportTests {
    private let directory = TemporaryDirectory()

    private final class FakeModules: AdministeredModules {
        var reports: [ModuleReport] = []
        private(set) var restarted: [String] = []

        func restart(_ name: String) -> Bool {
            guard reports.contains(where: { $0.name == name }) else { return false }
            restarted.append(name)
            return true
        }
    }

    @Test func withoutAnyThereIsNothingToSee() throws {
        let node = try Node(directory.path)

        #expect(try node.get("/modules") == "[]\n")
        #expect(try !node.get("/metrics").contains("roost_module_"))
        #expect(try node.bench.ask("POST", "/modules/x/restart").status == 404)
    }

    @Test func whatIsDownIsAWarning() throws {
        let node = try Node(directory.path)
        let modules = FakeModules()
        node.admin.modules = modules
        modules.reports = [
            ModuleReport(name: "a", program: "modbus", state: .running, pid: 7, restarts: 2, error: "exit code 1"),
            ModuleReport(name: "b", program: "/opt/b", state: .waiting, restarts: 3, error: "exit code 1"),
            ModuleReport(name: "c", program: "c", state: .failed, error: "\"c\" is not found"),
            ModuleReport(name: "d", program: "d", state: .starting, pid: 8),
        ]

        #expect(
            try node.get("/modules")
                == #"[{"name":"a","program":"modbus","state":"running","pid":7,"restarts":2,"error":"exit code 1"},"#
                + #"{"name":"b","program":"/opt/b","state":"waiting","pid":null,"restarts":3,"error":"exit code 1"},"#
                + #"{"name":"c","program":"c","state":"failed","pid":null,"restarts":0,"error":"\"c\" is not found"},"#
                + #"{"name":"d","program":"d","state":"starting","pid":8,"restarts":0,"error":null}]"# + "\n")
        #expect(
            try node.get("/health")
                == #"{"status":"degraded","reasons":["module b is down: exit code 1","#
                + #""module c cannot be started: \"c\" is not found"]}"# + "\n")
        let metrics = try node.get("/metrics")
        #expect(metrics.contains("\nroost_module_up{module=\"a\"} 1\nroost_module_up{module=\"b\"} 0\n"))
        #expect(metrics.contains("\nroost_module_restarts_total{module=\"b\"} 3\n"))

        #expect(try node.bench.ask("POST", "/modules/b/restart").body == "{\"ok\":true}\n")
        #expect(modules.restarted == ["b"])
        let unknown = try node.bench.ask("POST", "/modules/x/restart")
        #expect(unknown.status == 404 && unknown.body.contains("no module x. There is: a, b, c, d"))
    }
}
