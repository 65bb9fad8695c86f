import Bridge
import EventLoop

/// One device that counts: what it is called, what it said last, whether it is there.
final class Device {
    let address: DeviceAddress
    /// What stands for it in topics.
    let label: String
    /// nil: it has no table of its own.
    let settings: DeviceSettings?
    let timeout: Duration
    var duplicates: DuplicateFilter
    var gates: [String: ChangeGate] = [:]
    /// nil: not known yet.
    var isOnline: Bool?
    var seen: Instant
    var timer = Timer.none
    var twin: TwinBinding?
    var peripheral: Peripheral?
    /// What of it was last complained of: once an episode.
    var complaint: DecodingFailure?
    /// Properties whose expected values it was not given: told of once.
    var refused: Set<String> = []
    private var topics: [String: String] = [:]

    init(
        _ address: DeviceAddress, _ settings: DeviceSettings?, timeout: Duration, dedup: Duration, now: Instant
    ) {
        self.address = address
        self.settings = settings
        let name = settings?.name ?? ""
        label = name.isEmpty ? address.compact : name
        self.timeout = settings?.timeout ?? timeout
        duplicates = DuplicateFilter(window: dedup)
        seen = now
    }

    /// Connections say more of it than advertisements, which many devices end while they are connected.
    var isConnected: Bool { peripheral?.isConnected ?? false }
    var staysConnected: Bool { settings?.staysConnected ?? false }

    func topic(of measurement: String, _ make: (_ label: String, _ measurement: String) -> String) -> String {
        if let topic = topics[measurement] { return topic }
        let topic = make(label, measurement)
        // Names are few, but those of raw parts are up to the device.
        if topics.count < 64 { topics[measurement] = topic }
        return topic
    }
}
