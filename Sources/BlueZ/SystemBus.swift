import CSystemd
import EventLoop
import Glibc

/// Why the bus, or somebody on it, didn't do what was asked.
struct BusError: Error, Equatable {
    /// "org.bluez.Error.Failed"; empty: it was the connection itself.
    var name: String
    var text: String

    static let disconnected = BusError(name: "", text: "the connection to the system bus was lost")

    static func system(_ result: Int32) -> BusError { BusError(name: "", text: String(cString: strerror(-result))) }
}

protocol SystemBusDelegate: AnyObject {
    func bus(didReceive signal: BusMessage)
    /// It is over, once for each `open`.
    func busDidClose(_ error: BusError)
}

/// The system bus, by sd-bus, on an event loop: sd-bus never waits, but says what it waits for.
final class SystemBus: DescriptorHandler {
    weak var delegate: (any SystemBusDelegate)?
    private let loop: EventLoop
    private var bus: OpaquePointer?
    private var filter: OpaquePointer?
    private var calls: [UInt64: Call] = [:]
    private var lastCall: UInt64 = 0
    private var watch = Watch.none
    private var descriptor: Int32 = -1
    private var interest: Interest = []
    private var timer = Timer.none
    private var isProcessing = false

    /// Messages taken in one tick, so that nobody else on the loop has to wait for a flood to end.
    private static let mostInOneTick = 512

    /// A method call under way; sd-bus has its address.
    private final class Call {
        unowned let bus: SystemBus
        let number: UInt64
        let answer: (Result<BusMessage, BusError>) -> Void
        var slot: OpaquePointer?

        init(_ bus: SystemBus, _ number: UInt64, _ answer: @escaping (Result<BusMessage, BusError>) -> Void) {
            self.bus = bus
            self.number = number
            self.answer = answer
        }
    }

    init(loop: EventLoop) { self.loop = loop }

    deinit { release() }

    var isOpen: Bool { bus != nil }

    // MARK: - Life

    /// DBUS_SYSTEM_BUS_ADDRESS, or /run/dbus/system_bus_socket.
    func open() throws(BusError) {
        var opened: OpaquePointer?
        let result = sd_bus_open_system(&opened)
        guard result >= 0, let opened else { throw .system(result) }
        bus = opened
        let me = Unmanaged.passUnretained(self).toOpaque()
        sd_bus_add_filter(
            opened, &filter,
            { message, me, _ in
                guard let message, let me else { return 0 }
                Unmanaged<SystemBus>.fromOpaque(me).takeUnretainedValue().receive(message)
                return 0
            }, me)
        process()
    }

    func close() { end(nil) }

    private func end(_ error: BusError?) {
        guard bus != nil else { return }
        release()
        let unanswered = calls.values.sorted { $0.number < $1.number }
        calls = [:]
        for call in unanswered { call.answer(.failure(error ?? .disconnected)) }
        if let error { delegate?.busDidClose(error) }
    }

    private func release() {
        guard let bus else { return }
        self.bus = nil
        loop.unwatch(watch)
        watch = .none
        descriptor = -1
        loop.cancel(timer)
        for call in calls.values {
            if let slot = call.slot { sd_bus_slot_unref(slot) }
            call.slot = nil
        }
        if let filter { sd_bus_slot_unref(filter) }
        filter = nil
        sd_bus_close_unref(bus)
    }

    // MARK: - Calling

    /// - Parameters:
    ///   - timeout: of the answer.
    ///   - arguments: appends them.
    func call(
        _ destination: String, _ path: String, _ interface: String, _ member: String,
        timeout: Duration = .seconds(25), arguments: (BusMessage) -> Void = { _ in },
        answer: @escaping (Result<BusMessage, BusError>) -> Void
    ) {
        var message: OpaquePointer?
        guard let bus, sd_bus_message_new_method_call(bus, &message, destination, path, interface, member) >= 0,
            let message
        else { return later { answer(.failure(.disconnected)) } }
        defer { sd_bus_message_unref(message) }
        arguments(BusMessage(message))
        lastCall += 1
        let call = Call(self, lastCall, answer)
        let microseconds = UInt64(max(timeout.nanoseconds / 1000, 1))
        let result = sd_bus_call_async(
            bus, &call.slot, message,
            { message, call, _ in
                guard let message, let call else { return 0 }
                let found = Unmanaged<Call>.fromOpaque(call).takeUnretainedValue()
                found.bus.receive(message, answering: found)
                return 0
            }, Unmanaged.passUnretained(call).toOpaque(), microseconds)
        guard result >= 0 else { return later { answer(.failure(.system(result))) } }
        calls[call.number] = call
        if !isProcessing { later { [weak self] in self?.process() } }
    }

    /// Nobody is answered before his call returns.
    private func later(_ body: @escaping () -> Void) { loop.schedule(after: .zero, body) }

    private func receive(_ message: OpaquePointer, answering call: Call) {
        guard let call = calls.removeValue(forKey: call.number) else { return }
        // sd-bus holds on to it until this returns.
        if let slot = call.slot { sd_bus_slot_unref(slot) }
        guard let error = sd_bus_message_get_error(message) else {
            return call.answer(.success(BusMessage(message)))
        }
        let name = error.pointee.name.map { String(cString: $0) } ?? ""
        let text = error.pointee.message.map { String(cString: $0) } ?? name
        call.answer(.failure(BusError(name: name, text: text.isEmpty ? name : text)))
    }

    private func receive(_ message: OpaquePointer) {
        guard sd_bus_message_is_signal(message, nil, nil) > 0 else { return }
        delegate?.bus(didReceive: BusMessage(message))
    }

    // MARK: - On the loop

    func descriptorIsReady(_ readiness: Readiness) { process() }

    private func process() {
        guard let bus, !isProcessing else { return }
        // Whoever is called here may close the bus, and even let go of it.
        withExtendedLifetime(self) {
            isProcessing = true
            var result: Int32 = 1
            var count = 0
            while result > 0, count < Self.mostInOneTick, self.bus != nil {
                result = sd_bus_process(bus, nil)
                count += 1
            }
            isProcessing = false
            guard self.bus != nil else { return }
            guard result >= 0 else { return end(.system(result)) }
            arrange(isMoreLeft: result > 0)
        }
    }

    /// Waits for what sd-bus waits for.
    private func arrange(isMoreLeft: Bool) {
        guard let bus else { return }
        let events = Int32(sd_bus_get_events(bus))
        guard events >= 0 else { return end(.system(events)) }
        var wanted: Interest = []
        if events & POLLIN != 0 { wanted.insert(.read) }
        if events & POLLOUT != 0 { wanted.insert(.write) }
        do throws(SystemError) {
            try watch(sd_bus_get_fd(bus), wanted)
        } catch {
            return end(BusError(name: "", text: error.text))
        }
        loop.cancel(timer)
        guard !isMoreLeft else {
            timer = loop.schedule(after: .zero) { [weak self] in self?.process() }
            return
        }
        var microseconds: UInt64 = .max
        guard sd_bus_get_timeout(bus, &microseconds) >= 0, microseconds != .max else { return }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let passed = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        let rest = microseconds > passed ? microseconds - passed : 0
        timer = loop.schedule(after: .microseconds(Int64(rest))) { [weak self] in self?.process() }
    }

    private func watch(_ descriptor: Int32, _ wanted: Interest) throws(SystemError) {
        if descriptor == self.descriptor {
            if wanted != interest { try loop.change(watch, wanted) }
        } else {
            loop.unwatch(watch)
            watch = try loop.watch(descriptor: descriptor, wanted, handler: self)
            self.descriptor = descriptor
        }
        interest = wanted
    }
}
