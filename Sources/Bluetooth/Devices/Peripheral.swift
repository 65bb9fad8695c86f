import DequeModule
import EventLoop

/// Connects to one device for the characteristics of its table: reads them on their intervals, listens to those that notify,
/// writes what it is told. One thing at a time, since a device has one link and most do badly with more.
///
/// Between reads that are far apart the connection is given up: it costs the device's battery, and the adapter a slot.
final class Peripheral {
    let address: DeviceAddress
    let settings: DeviceSettings
    /// A characteristic's bytes, by its place in the table, or why there are none.
    var onValue: ((Int, RadioResult<[UInt8]>) -> Void)?
    var onConnection: ((_ isConnected: Bool) -> Void)?

    private let loop: EventLoop
    private let radio: any Radio
    private let slots: ConnectionSlots
    private let patience: Duration
    private var backoff: Backoff
    private var phase = Phase.idle
    private var queue = Deque<Operation>()
    private var isBusy = false
    private var linger = Timer.none
    private var isStopping = false
    private var whenStopped: (() -> Void)?

    private enum Phase {
        case idle
        case waiting(ticket: UInt64)
        case connecting
        case connected
        case pausing(Timer)
    }

    private enum Operation {
        case notify(Int)
        case read(Int)
        case write(Int, [UInt8], deadline: Timer, number: UInt64, (RadioResult<Void>) -> Void)
    }

    /// What is asked for shortly after needs no new connection.
    private static let lingering = Duration.seconds(2)

    init(
        _ settings: DeviceSettings, at address: DeviceAddress, loop: EventLoop, radio: any Radio,
        slots: ConnectionSlots,
        patience: Duration, backoff: Backoff
    ) {
        self.settings = settings
        self.address = address
        self.loop = loop
        self.radio = radio
        self.slots = slots
        self.patience = patience
        self.backoff = backoff
    }

    var isConnected: Bool { if case .connected = phase { true } else { false } }

    // MARK: - What is asked of it

    func start() {
        for (index, item) in settings.characteristics.enumerated() where item.interval != nil { due(index) }
        proceed()
    }

    /// The device was heard, or the radio works again.
    func proceed() {
        switch phase {
        case .idle: if wantsConnection, radio.knows(address) { requestSlot() }
        case .connected: next()
        case .waiting, .connecting, .pausing: break
        }
    }

    func write(_ bytes: [UInt8], to index: Int, then: @escaping (RadioResult<Void>) -> Void) {
        guard !isStopping else { return then(.failure(.unavailable)) }
        writes += 1
        let number = writes
        // A device that isn't heard at all may come tomorrow; who asked wants to know before.
        let deadline = loop.schedule(after: patience + patience) { [weak self] in self?.giveUp(write: number) }
        queue.append(.write(index, bytes, deadline: deadline, number: number, then))
        proceed()
    }

    private var writes: UInt64 = 0

    /// The connection is gone, and not because of us.
    func lost() {
        guard case .connected = phase else { return }
        end(pausing: true)
    }

    /// Finishes what is under way, and disconnects.
    func stop(then: @escaping () -> Void) {
        isStopping = true
        failWrites(.unavailable)
        queue.removeAll()
        guard isBusy else {
            leave()
            return then()
        }
        whenStopped = then
    }

    // MARK: - Connecting

    private var wantsConnection: Bool { !isStopping && (settings.staysConnected || !queue.isEmpty) }

    private func requestSlot() {
        // The slot may be there at once, and then the phase is a later one already.
        phase = .waiting(ticket: 0)
        let ticket = slots.request { [weak self] in self?.connect() }
        if case .waiting = phase { phase = .waiting(ticket: ticket) }
    }

    private func connect() {
        guard wantsConnection else {
            phase = .idle
            return slots.release()
        }
        phase = .connecting
        radio.connect(to: address) { [weak self] result in self?.connected(result) }
    }

    private func connected(_ result: RadioResult<Void>) {
        guard case .connecting = phase else { return }
        switch result {
        case .success:
            phase = .connected
            onConnection?(true)
            for (index, item) in settings.characteristics.enumerated() where item.notify {
                queue.prepend(.notify(index))
            }
            next()
        case .failure(let error):
            failWrites(error)
            for case .read(let index) in queue { onValue?(index, .failure(error)) }
            slots.release()
            pause()
        }
    }

    private func pause() {
        phase = .idle
        guard !isStopping else { return }
        phase = .pausing(
            loop.schedule(after: backoff.next(random: .random(in: 0..<1))) { [weak self] in
                self?.phase = .idle
                self?.proceed()
            })
    }

    private func end(pausing: Bool) {
        loop.cancel(linger)
        slots.release()
        onConnection?(false)
        if pausing {
            pause()
        } else {
            phase = .idle
            // Something may have been asked for in the meantime.
            if wantsConnection { proceed() }
        }
    }

    private func leave() {
        switch phase {
        case .connected, .connecting:
            radio.disconnect(from: address)
            phase = .idle
            slots.release()
        case .waiting(let ticket):
            slots.cancel(ticket)
            phase = .idle
        case .pausing(let timer):
            loop.cancel(timer)
            phase = .idle
        case .idle: break
        }
    }

    // MARK: - Doing one thing after the other

    private func next() {
        guard case .connected = phase, !isBusy else { return }
        loop.cancel(linger)
        guard let operation = queue.popFirst() else {
            guard !settings.staysConnected else { return }
            linger = loop.schedule(after: Self.lingering) { [weak self] in self?.leaveIfIdle() }
            return
        }
        isBusy = true
        switch operation {
        case .notify(let index):
            radio.notify(of: place(index)) { [weak self] result in
                if case .failure(let error) = result { self?.onValue?(index, .failure(error)) }
                self?.done(result.error)
            }
        case .read(let index):
            radio.read(place(index)) { [weak self] result in
                self?.onValue?(index, result)
                self?.done(result.error)
            }
        case .write(let index, let bytes, let deadline, _, let then):
            loop.cancel(deadline)
            radio.write(bytes, to: place(index)) { [weak self] result in
                then(result)
                self?.wrote(index, result)
                self?.done(result.error)
            }
        }
    }

    private func leaveIfIdle() {
        guard case .connected = phase, !isBusy, queue.isEmpty else { return }
        radio.disconnect(from: address)
        end(pausing: false)
    }

    /// What was written is read, where it can be: the device may have made something else of it.
    private func wrote(_ index: Int, _ result: RadioResult<Void>) {
        let item = settings.characteristics[index]
        if result.error == nil, item.interval != nil || item.notify, !isStopping { queue.prepend(.read(index)) }
    }

    private func done(_ error: RadioError?) {
        isBusy = false
        if let whenStopped {
            self.whenStopped = nil
            leave()
            return whenStopped()
        }
        if error == nil { backoff.reset() }
        // A device that doesn't answer is connected in name alone.
        if error == .timeout, case .connected = phase {
            radio.disconnect(from: address)
            end(pausing: true)
        }
        proceed()
    }

    private func due(_ index: Int) {
        guard !isStopping, let interval = settings.characteristics[index].interval else { return }
        let isQueued = queue.contains { if case .read(index) = $0 { true } else { false } }
        if !isQueued { queue.append(.read(index)) }
        loop.schedule(after: interval) { [weak self] in self?.due(index) }
        proceed()
    }

    private func place(_ index: Int) -> CharacteristicPlace {
        let item = settings.characteristics[index]
        // Reading the table has refused those without a UUID.
        return CharacteristicPlace(
            device: address, uuid: item.uuid ?? AttributeUUID(short: 0), service: item.service)
    }

    private func giveUp(write number: UInt64) {
        for (place, operation) in queue.enumerated() {
            guard case .write(_, _, _, number, let then) = operation else { continue }
            queue.remove(at: place)
            return then(.failure(radio.knows(address) ? .timeout : .notHeard))
        }
    }

    private func failWrites(_ error: RadioError) {
        let pending = queue
        queue.removeAll { if case .write = $0 { true } else { false } }
        for case .write(_, _, let deadline, _, let then) in pending {
            loop.cancel(deadline)
            then(.failure(error))
        }
    }
}

extension Result where Failure == RadioError {
    fileprivate var error: RadioError? { if case .failure(let error) = self { error } else { nil } }
}
