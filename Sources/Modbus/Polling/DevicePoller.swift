import Bridge
import DequeModule
import EventLoop

/// Told what a poller finds, on its loop.
package protocol DevicePollerDelegate: AnyObject {
    /// Points of the device were read, or couldn't be.
    func poller(
        _ poller: DevicePoller, device: PolledDevice, didRead outcomes: [(point: Int, outcome: Reading.Outcome)])

    func poller(_ poller: DevicePoller, didChangeStateOf device: PolledDevice)

    /// The connection is there (nil), or why it isn't.
    func poller(_ poller: DevicePoller, connectionIs problem: String?)
}

/// Asks the devices of one connection for their points, each at its interval, and writes to them. Requests that are due at one
/// time leave one after the other; writes come first. A device that is silent is asked less and less often, so that its
/// neighbours on the line keep their pace.
package final class DevicePoller {
    package let name: String
    package let line: Line
    package let devices: [PolledDevice]
    package weak var delegate: (any DevicePollerDelegate)?
    /// Times that a request fell due again before it was answered.
    package private(set) var overruns: UInt64 = 0
    package private(set) var lateness = Lateness()

    let loop: EventLoop
    var queue = Deque<PolledDevice.Block>()
    private var tasks = Deque<Task>()
    private var wakeTimer = Timer.none
    private var isServing = false
    private var isStopped = false
    /// The last that was told of the connection.
    var wasTold: String??

    /// A request beside the plan: a write, or what belongs to one.
    struct Task {
        var device: PolledDevice
        var request: Request
        var tries = 0
        var completion: (Result<Response, ModbusError>) -> Void
    }

    /// What a busy device gets before the next try.
    private static let busyPause: Duration = .milliseconds(100)
    private static let mostTasks = 1000

    package init(name: String, loop: EventLoop, line: Line, devices: [PolledDevice.Options]) {
        self.name = name
        self.loop = loop
        self.line = line
        self.devices = devices.enumerated().map { PolledDevice($0, $1) }
        line.delegate = self
    }

    /// - Parameter phases: where in its interval each request begins, 0..<1: drawn from once for every request.
    package func start(_ phases: inout Phases) {
        for device in devices {
            for block in device.blocks {
                block.next = loop.now + block.plan.interval * phases.next()
                schedule(block)
            }
        }
        line.open()
    }

    /// Nothing more is asked; what is under way goes unanswered, and writes that wait fail.
    package func stop() {
        isStopped = true
        for device in devices {
            loop.cancel(device.probeTimer)
            for block in device.blocks { loop.cancel(block.timer) }
        }
        loop.cancel(wakeTimer)
        line.close()
        failTasks(.notConnected("stopping"))
    }

    /// Whether a write, or a part of one, is not done.
    package var isWriting: Bool { !tasks.isEmpty || tasksUnderWay > 0 }
    private var tasksUnderWay = 0

    package func takeLateness() -> Lateness {
        defer { lateness = Lateness() }
        return lateness
    }

    // MARK: - Falling due

    private func schedule(_ block: PolledDevice.Block) {
        block.timer = loop.schedule(at: block.next) { [weak self, weak block] in
            if let self, let block { self.fallDue(block) }
        }
    }

    private func fallDue(_ block: PolledDevice.Block) {
        if block.isQueued || block.isUnderWay {
            overruns += 1
        } else {
            block.due = block.next
            enqueueIfPossible(block)
        }
        // The grid is kept: what is late moves nothing that follows.
        block.next = block.next + block.plan.interval
        if block.next <= loop.now {
            let missed = (loop.now - block.next).nanoseconds / block.plan.interval.nanoseconds + 1
            overruns += UInt64(missed)
            block.next = block.next + block.plan.interval * Int(missed)
        }
        schedule(block)
        serve()
    }

    private func enqueueIfPossible(_ block: PolledDevice.Block) {
        guard line.isConnected, !block.device.isSilent, loop.now >= block.notBefore else {
            block.isMissed = true
            return
        }
        enqueue(block)
    }

    private func enqueue(_ block: PolledDevice.Block) {
        guard !block.isQueued, !block.isUnderWay else { return }
        block.isQueued = true
        block.isMissed = false
        queue.append(block)
    }

    /// Asks for a point now, beside its interval: it has been written, or its device is back.
    func refresh(_ block: PolledDevice.Block) {
        guard !block.isQueued, !block.isUnderWay else { return }
        block.due = loop.now
        enqueueIfPossible(block)
    }

    // MARK: - Asking

    func serve() {
        guard !isServing, !isStopped else { return }
        isServing = true
        defer { isServing = false }
        while line.isFree, askNext() {}
    }

    /// False: nothing may be asked now.
    private func askNext() -> Bool {
        var held: Instant?
        func isHeld(_ request: Request, _ device: PolledDevice, _ tries: Int) -> Bool {
            guard let until = line.hold(request, unit: device.options.unit, isRetry: tries > 0) else { return false }
            held = min(held ?? until, until)
            return true
        }
        for index in tasks.indices where !isHeld(tasks[index].request, tasks[index].device, tasks[index].tries) {
            let task = tasks.remove(at: index)
            ask(task)
            return true
        }
        for index in queue.indices where !isHeld(queue[index].plan.request, queue[index].device, queue[index].tries) {
            let block = queue.remove(at: index)
            block.isQueued = false
            ask(block)
            return true
        }
        loop.cancel(wakeTimer)
        if let held { wakeTimer = loop.schedule(at: held) { [weak self] in self?.serve() } }
        return false
    }

    private func ask(_ block: PolledDevice.Block) {
        block.isUnderWay = true
        if block.tries == 0 { lateness.note(loop.clock.now - block.due) }
        line.ask(block.plan.request, unit: block.device.options.unit) { [weak self] result in
            block.isUnderWay = false
            guard let self, !self.isStopped else { return }
            switch result {
            case .success(.data(let data)): self.succeeded(block, data)
            case .success: self.failed(block, .malformed("no data"))
            case .failure(let error): self.failed(block, error)
            }
        }
    }

    // MARK: - Answers

    private func succeeded(_ block: PolledDevice.Block, _ data: [UInt8]) {
        block.tries = 0
        block.silences = 0
        block.isFailing = false
        heard(block.device)
        let points = block.device.options.points
        let outcomes = block.plan.points.map { index -> (point: Int, outcome: Reading.Outcome) in
            do throws(ValueProblem) {
                return (index, .good(try points[index].value(in: data, from: block.plan.places.lowerBound)))
            } catch {
                return (index, .bad(error: error.description))
            }
        }
        delegate?.poller(self, device: block.device, didRead: outcomes)
        tellState(of: block.device)
    }

    private func failed(_ block: PolledDevice.Block, _ error: ModbusError) {
        let device = block.device
        if case .notConnected = error { return giveUp(block) }
        if !error.meansSilence { heard(device) }
        if case .exception(let code) = error, code.refusesPlaces, replace(block) { return }
        // A device that is known to be silent is asked once: its neighbours wait meanwhile.
        let retries = device.isSilent ? 0 : device.options.retries
        if case .connectionLost = error, block.tries == 0 { return tryAgain(block) }
        if error.isWorthARetry, block.tries < retries {
            guard case .exception = error else { return tryAgain(block) }
            block.tries += 1
            block.isQueued = true
            loop.schedule(after: Self.busyPause) { [weak self, weak block] in
                guard let self, let block, !self.isStopped, block.isQueued else { return }
                self.queue.append(block)
                self.serve()
            }
            return
        }
        giveUp(block)
        block.isFailing = true
        let outcome = Reading.Outcome.bad(error: error.description)
        delegate?.poller(self, device: device, didRead: block.plan.points.map { ($0, outcome) })
        if error.meansSilence { notHeard(block, error) }
        tellState(of: device)
    }

    func giveUp(_ block: PolledDevice.Block) {
        block.tries = 0
        block.isMissed = true
    }

    private func tryAgain(_ block: PolledDevice.Block) {
        block.tries += 1
        block.isQueued = true
        queue.prepend(block)
    }

    /// Splits a block that the device refuses, for good; false: it is a single point.
    private func replace(_ block: PolledDevice.Block) -> Bool {
        let device = block.device
        let parts = ReadPlan.split(block.plan, device.options.points)
        guard !parts.isEmpty, let place = device.blocks.firstIndex(where: { $0 === block }) else { return false }
        loop.cancel(block.timer)
        let blocks = parts.map { PolledDevice.Block(device, $0) }
        device.blocks.replaceSubrange(place...place, with: blocks)
        for part in blocks {
            part.next = block.next
            part.due = block.due
            schedule(part)
            enqueueIfPossible(part)
        }
        return true
    }

    // MARK: - Silence

    private func heard(_ device: PolledDevice) {
        device.doubts = 0
        guard device.isSilent else { return }
        device.isSilent = false
        device.probes = 0
        loop.cancel(device.probeTimer)
        for block in device.blocks where block.isMissed { refresh(block) }
    }

    /// One request without an answer may be that request's own fault, as some devices are silent about what they lack; so
    /// another is tried before the whole device is held to be silent.
    private func notHeard(_ block: PolledDevice.Block, _ error: ModbusError) {
        let device = block.device
        block.silences += 1
        device.doubts += 1
        block.notBefore = loop.now + device.backoff(block.silences)
        if !device.isSilent, device.doubts < 2,
            let other = device.blocks.first(where: { !$0.isFailing && $0 !== block })
        {
            other.due = loop.now
            return enqueue(other)
        }
        if !device.isSilent {
            device.isSilent = true
            device.problem = error.description
            tellBad(device, error.description)
        }
        queue.removeAll { queued in
            guard queued.device === device else { return false }
            queued.isQueued = false
            giveUp(queued)
            return true
        }
        device.probes += 1
        scheduleProbe(device, after: device.backoff(device.probes))
    }

    private func scheduleProbe(_ device: PolledDevice, after delay: Duration) {
        device.probeTimer = loop.schedule(after: delay) { [weak self, weak device] in
            if let self, let device { self.probe(device) }
        }
    }

    private func probe(_ device: PolledDevice) {
        guard device.isSilent else { return }
        // A connection that is made anew in this moment.
        guard line.isConnected else { return scheduleProbe(device, after: device.options.backoffMinimum) }
        let block = device.blocks.min { ($0.silences, $0.plan.places.count) < ($1.silences, $1.plan.places.count) }
        guard let block else { return }
        block.due = loop.now
        enqueue(block)
        serve()
    }

    /// Every point of the device has no value any more.
    func tellBad(_ device: PolledDevice, _ why: String) {
        let outcome = Reading.Outcome.bad(error: why)
        delegate?.poller(self, device: device, didRead: device.options.points.indices.map { ($0, outcome) })
    }

    func tellState(of device: PolledDevice) {
        let state: PolledDevice.State =
            if device.isSilent || !line.isConnected {
                .offline
            } else {
                device.blocks.contains(where: \.isFailing) ? .unhealthy : .online
            }
        guard state != device.state else { return }
        device.state = state
        delegate?.poller(self, didChangeStateOf: device)
    }

    // MARK: - Tasks

    func add(_ task: Task) {
        guard !isStopped, line.isConnected else {
            return task.completion(.failure(.notConnected(line.problem ?? "no connection yet")))
        }
        guard tasks.count < Self.mostTasks else {
            return task.completion(.failure(.notConnected("\(Self.mostTasks) writes wait already")))
        }
        tasks.append(task)
        serve()
    }

    private func ask(_ task: Task) {
        tasksUnderWay += 1
        line.ask(task.request, unit: task.device.options.unit) { [weak self] result in
            guard let self else { return task.completion(result) }
            self.tasksUnderWay -= 1
            if case .failure(let error) = result, error.isWorthARetry, task.tries < task.device.options.retries {
                var again = task
                again.tries += 1
                return self.tasks.prepend(again)
            }
            if case .failure(let error) = result, error.meansSilence {} else { self.heard(task.device) }
            task.completion(result)
        }
    }

    func failTasks(_ error: ModbusError) {
        let failed = tasks
        tasks = []
        for task in failed { task.completion(.failure(error)) }
    }
}
