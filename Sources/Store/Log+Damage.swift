/// What was found damaged on the disk.
public enum StoreDamage: Sendable {
    /// The database was replaced by what could be saved of it.
    case salvaged(SalvageReport)
    /// A segment's checksums were wrong: it was set aside, and these are lost.
    case setAside(messages: UInt64)
}

extension Log {
    /// What opening the database came to; a later one is the writer's to report.
    public func noteSalvage(_ report: SalvageReport) {
        salvages += 1
        lastSalvage = report
        corruptMessages += report.lostMessages
        onDamage?(.salvaged(report))
    }

    /// In a salvage they are counted by its report.
    func noteCorrupt(_ messages: UInt64) {
        guard !isSalvaging else { return }
        corruptMessages += messages
        onDamage?(.setAside(messages: messages))
    }
}
