import Configuration
import MQTT

/// Where a module may publish and what it may receive when its table says nothing of that.
enum OwnTopics {
    /// Modbus and Bluetooth: what their `topic` makes of any device and point, and below; with device twins, theirs too. Any
    /// other program: below its name.
    static func filters(of module: ModuleSettings) -> [String] {
        let below = "\(module.name)/#"
        guard ModuleProgram.builtIn.contains(module.program) else { return [below] }
        var template =
            module.program == "modbus" ? "modbus/{connection}/{device}/{point}" : "bluetooth/{device}/{point}"
        if case .string(let text)? = module.own["topic"]?.value { template = text }
        let levels = template.split(separator: "/", omittingEmptySubsequences: false).map {
            $0.contains("{") ? "+" : String($0)
        }
        let filter = (levels + ["#"]).joined(separator: "/")
        let isValid = Array(filter.utf8).withUnsafeBytes { TopicFilter.isValid($0) }
        return [isValid ? filter : below] + (hasTwin(module.own) ? twins : [])
    }

    /// A device's identifier has one level or two.
    private static let twins = ["+", "+/+"].flatMap { device in
        ["twin", "state"].map { "$hw/events/device/\(device)/\($0)/#" }
    }

    private static func hasTwin(_ table: TOMLTable) -> Bool {
        table.entries.contains { ($0.key == "twin" && $0.node.value == .boolean(true)) || hasTwin($0.node) }
    }

    private static func hasTwin(_ node: TOMLNode) -> Bool {
        switch node.value {
        case .table(let inner): hasTwin(inner)
        case .array(let items): items.contains(where: hasTwin)
        default: false
        }
    }
}
