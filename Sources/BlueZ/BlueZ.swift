import Bluetooth
import EventLoop

/// BlueZ, on the system bus, as a radio: one adapter of it, which scans for as long as this lives. The bus, bluetoothd and the
/// adapter may come and go; each comes back into use by itself.
package final class BlueZ: Radio {
    package weak var delegate: (any RadioDelegate)?
    let loop: EventLoop
    let bus: SystemBus
    let paths: ObjectPath
    let adapterName: String
    let connectTimeout: Duration
    /// What bluetoothd is called on the bus; nil: it isn't there.
    var owner: String?
    var devices: [DeviceAddress: KnownDevice] = [:]
    var connecting: [DeviceAddress: Connecting] = [:]
    /// nil: there is no such adapter.
    var isPowered: Bool?
    var isHeardSince = false
    private var stage = Stage.stopped
    private var backoff = Backoff(min: .seconds(1), max: .seconds(60))
    private var retry = Timer.none
    private var quiet = Timer.none
    /// Counts the starts, so that answers to an earlier one are known as such.
    private var attempt: UInt64 = 0

    private enum Stage {
        case stopped, waiting, starting, scanning
    }

    struct Connecting {
        var deadline: Timer
        var isAnswered = false
        var then: (RadioResult<Void>) -> Void
    }

    /// Controllers have been seen to go deaf. After this long without a word the scan is started again.
    private static let longestQuiet = Duration.seconds(120)

    package init(loop: EventLoop, adapter: String, connectTimeout: Duration) {
        self.loop = loop
        self.connectTimeout = connectTimeout
        adapterName = adapter
        paths = ObjectPath(adapter: adapter)
        bus = SystemBus(loop: loop)
        bus.delegate = self
    }

    package func start() {
        guard stage == .stopped else { return }
        stage = .waiting
        open()
    }

    /// Ends the scan; what is connected stays so.
    package func stop() {
        guard stage != .stopped else { return }
        if stage == .scanning { call(paths.adapter, Self.adapterInterface, "StopDiscovery") { _ in } }
        stage = .stopped
        loop.cancel(retry)
        loop.cancel(quiet)
        bus.close()
    }

    static let adapterInterface = "org.bluez.Adapter1"
    static let deviceInterface = "org.bluez.Device1"
    static let serviceInterface = "org.bluez.GattService1"
    static let characteristicInterface = "org.bluez.GattCharacteristic1"

    func call(
        _ path: String, _ interface: String, _ member: String, timeout: Duration = .seconds(25),
        arguments: (BusMessage) -> Void = { _ in }, answer: @escaping (Result<BusMessage, BusError>) -> Void
    ) {
        bus.call("org.bluez", path, interface, member, timeout: timeout, arguments: arguments, answer: answer)
    }

    // MARK: - The bus, and bluetoothd on it

    private static let matches = [
        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
        "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.ObjectManager'",
        "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
            + "path_namespace='/org/bluez'",
    ]

    private func open() {
        do throws(BusError) {
            try bus.open()
        } catch {
            return lostBus(error)
        }
        for match in Self.matches {
            callBus("AddMatch", match) { [weak self] result in
                guard case .failure(let error) = result, let self, self.bus.isOpen else { return }
                self.bus.close()
                self.lostBus(error)
            }
        }
        callBus("GetNameOwner", "org.bluez") { [weak self] result in
            guard let self, self.stage != .stopped, self.bus.isOpen else { return }
            self.backoff.reset()
            switch result {
            case .success(let message): self.arrived(message.string())
            case .failure: self.arrived(nil)
            }
        }
    }

    private func callBus(_ member: String, _ text: String, answer: @escaping (Result<BusMessage, BusError>) -> Void) {
        bus.call(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", member,
            arguments: { $0.append(text) }, answer: answer)
    }

    private func lostBus(_ error: BusError) {
        arrived(nil, because: "cannot reach the system bus: \(error.text). Is dbus running?")
        loop.cancel(retry)
        retry = loop.schedule(after: backoff.next(random: .random(in: 0..<1))) { [weak self] in
            guard let self, self.stage != .stopped else { return }
            self.open()
        }
    }

    /// bluetoothd is there, or is not.
    func arrived(_ owner: String?, because: String = "bluetoothd is not running (systemctl start bluetooth)") {
        guard stage != .stopped else { return }
        self.owner = owner
        isPowered = nil
        forgetDevices()
        guard owner != nil else { return wait(because) }
        call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") { [weak self] result in
            guard let self, self.owner == owner else { return }
            switch result {
            case .success(let message):
                message.forEach(in: "{oa{sa{sv}}}") {
                    message.entry("o", "a{sa{sv}}") {
                        if let path = message.text("o") { self.added(path, message, isNews: false) }
                    }
                }
                self.consider()
            case .failure(let error): self.wait("bluetoothd doesn't answer: \(error.text)")
            }
        }
    }

    // MARK: - Scanning

    /// The adapter has changed, or may have.
    func consider() {
        guard owner != nil, stage != .stopped else { return }
        switch isPowered {
        case nil: wait("there is no adapter \(adapterName) (bluetoothctl list)")
        case false: wait("\(adapterName) is powered off (bluetoothctl power on)")
        default: if stage == .waiting { scan() }
        }
    }

    private func wait(_ why: String) {
        attempt += 1
        stage = .waiting
        loop.cancel(quiet)
        delegate?.radio(didChange: .unavailable(why))
    }

    private func scan() {
        stage = .starting
        attempt += 1
        let attempt = attempt
        call(
            paths.adapter, Self.adapterInterface, "SetDiscoveryFilter",
            arguments: { message in
                message.appendMap {
                    message.appendEntry("Transport", "le")
                    message.appendEntry("DuplicateData", true)
                }
            },
            answer: { [weak self] result in
                guard let self, self.attempt == attempt else { return }
                if case .failure(let error) = result { return self.refused(error) }
                self.call(self.paths.adapter, Self.adapterInterface, "StartDiscovery") { [weak self] result in
                    guard let self, self.attempt == attempt else { return }
                    // A scan of ours is under way already.
                    if case .failure(let error) = result, error.name != "org.bluez.Error.InProgress" {
                        return self.refused(error)
                    }
                    self.started()
                }
            })
    }

    private func started() {
        stage = .scanning
        backoff.reset()
        watchQuiet()
        delegate?.radio(didChange: .scanning)
    }

    private func refused(_ error: BusError) {
        wait("\(adapterName) cannot scan: \(error.text)")
        scanLater(after: backoff.next(random: .random(in: 0..<1)))
    }

    private func scanLater(after pause: Duration) {
        loop.cancel(retry)
        retry = loop.schedule(after: pause) { [weak self] in self?.consider() }
    }

    /// Somebody, or the controller, has ended the scan.
    func scanEnded() {
        guard stage == .scanning else { return }
        attempt += 1
        stage = .waiting
        loop.cancel(quiet)
        scanLater(after: .seconds(1))
    }

    private func watchQuiet() {
        isHeardSince = false
        loop.cancel(quiet)
        quiet = loop.schedule(after: Self.longestQuiet) { [weak self] in
            guard let self, self.stage == .scanning else { return }
            guard !self.isHeardSince else { return self.watchQuiet() }
            // What this answers doesn't matter: the scan begins anew either way.
            self.call(self.paths.adapter, Self.adapterInterface, "StopDiscovery") { [weak self] _ in
                self?.scanEnded()
            }
        }
    }
}

extension BlueZ: SystemBusDelegate {
    func busDidClose(_ error: BusError) {
        guard stage != .stopped else { return }
        lostBus(error)
    }
}
