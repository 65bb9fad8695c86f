import Broker
import Configuration
import Modules

extension Daemon {
    func makeModules() -> ModuleHost {
        ModuleHost(
            broker: broker, network: network, access: moduleAccess, surroundings: settings.moduleSurroundings,
            limits: BrokerLimits(settings.limits)
        ) { [logger] in logger.log($0, $1) }
    }

    func startModules() {
        moduleSettings = settings.modules
        modules.start(moduleSettings)
    }

    /// The modules whose processes a reload would start, with their places in the configuration.
    func startedModules(by renewed: Settings) -> [(offset: Int, element: ModuleSettings)] {
        renewed.modules.enumerated().filter { _, module in
            !moduleSettings.contains { $0.name == module.name && !$0.startsOtherwise(than: module) }
        }
    }
}

extension Settings {
    var moduleSurroundings: ModuleSurroundings { ModuleSurroundings(node: node.id, data: node.data) }

    /// What the modules find wrong with their tables, or is wrong with them, by the setting's path.
    func inspectModules() -> [(path: String, text: String)] { ModuleChecks.run(modules, moduleSurroundings) }
}
