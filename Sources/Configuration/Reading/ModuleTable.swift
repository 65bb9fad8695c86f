/// The part of a `[[module]]` that is the module's own, as the module reads it.
package enum ModuleTable {
    /// What is wrong with it, one thing after the other, each with its key's path (`connection.0.device.2.unit`).
    package struct Problems: Error {
        package let list: [(path: String, message: String)]
    }

    /// - Parameter checking: finds what is wrong between keys that are right in themselves; is called even if some aren't.
    package static func read<T: SettingsTable>(
        _ type: T.Type, from table: TOMLTable, checking: (T, Findings) -> Void = { _, _ in }
    ) throws(Problems) -> T {
        let findings = Findings(file: "")
        var settings = T()
        FieldsReader.read(&settings, from: table, path: [], findings)
        checking(settings, findings)
        guard findings.reports.isEmpty else { throw Problems(list: findings.reports) }
        return settings
    }
}
