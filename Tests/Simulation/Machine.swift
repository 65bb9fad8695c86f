import EventLoop
import Store

/// A computer that runs one roostd: its disk, its clocks, and the process while there is one.
final class Machine {
    enum End {
        /// SIGKILL: the operating system keeps what was written.
        case kill
        case powerLoss
    }

    let role: Role
    unowned let world: World
    let disk: SimulatedDisk
    let clock: VirtualClock
    private(set) var process: RoostProcess?
    /// All that there were.
    private var processes: [RoostProcess] = []
    private(set) var isPowered = true
    /// Every run has another, also over a new disk.
    private(set) var epochs: Set<UInt64> = []
    private var boots = 1
    private var random: SimulationRandom
    /// So many more things that others can see, then the end.
    private var fuse: (effects: Int, end: End, downFor: Int64)?
    /// Extra time that each of the writer's steps takes.
    var slowness: Int64 = 0
    private var wrongDates = 0
    /// How far the wall clock is off.
    private var misdated: Int64 = 0
    private var isDateSettled = false
    /// The wall clock was wrong at some time.
    private(set) var wasMisdated = false
    /// How often the process has begun and ended.
    private(set) var starts = 0
    private(set) var sudden = 0
    /// Its store has failed at some time.
    var hasFailed = false
    /// The disk was found damaged after a lying sync, and another took its place.
    private(set) var replacements = 0

    var name: String { role.rawValue }
    var isUp: Bool { process?.isServing == true }
    /// What was acknowledged may be gone: the disk lied.
    var isForgiven: Bool { disk.lostByLying }

    init(_ role: Role, world: World, seed: UInt64) {
        self.role = role
        self.world = world
        random = SimulationRandom(seed: seed)
        disk = SimulatedDisk(seed: random.next(), trace: world.trace)
        clock = VirtualClock(now: Instant(milliseconds: 5000 + Int64(random.below(100_000))))
        clock.bootID = "\(name)-1"
        disk.mayAct = { [unowned self] in process?.mayAct() ?? false }
    }

    // MARK: Life

    func start() {
        guard process == nil, isPowered else { return }
        starts += 1
        world.noteStart(of: self)
        let process = RoostProcess(self)
        self.process = process
        processes.append(process)
        do throws(StoreError) {
            try process.start(epoch: random.next() | 1)
            if process.isAlive { note(epoch: process.epoch) }
        } catch {
            world.trace.note("\(name) can't start: \(error)")
            giveUp(error)
        }
    }

    private func note(epoch: UInt64) {
        guard !epochs.insert(epoch).inserted else { return }
        world.fail(.epochs, "\(name) began a run under the epoch of an earlier one, \(epoch)")
    }

    /// The supervisor starts it again a second later; a damaged database is somebody's to answer for.
    private func giveUp(_ error: StoreError) {
        guard process?.isAlive == true else { return }
        switch error {
        case .corrupt, .notADatabase, .newerSchema:
            if disk.lostByLying {
                world.trace.note("\(name) gets a new disk")
                disk.replace()
                replacements += 1
                world.tally.add(.replaced)
            } else if disk.faults.failingReads == 0 {
                world.fail(.corruption, "\(name): \(error)")
            }
        default: break
        }
        let failed = process
        process?.die()
        sweep()
        if failed != nil { world.plan(at: world.now + 1_000_000_000) { [weak self] in self?.start() } }
    }

    /// Has the process end after so many more effects, and start again later.
    func light(effects: Int, end: End, downFor: Int64) {
        guard process != nil else { return }
        fuse = (max(effects, 1), end, downFor)
    }

    func stop(downFor: Int64) {
        guard let process, process.isServing else { return }
        process.stop { [weak self] in self?.process?.die() }
        // `shutdown_seconds`.
        world.plan(at: world.now + 10_000_000_000) { [weak self, weak process] in
            guard let self, let process, self.process === process else { return }
            process.die()
        }
        startOnceFree(after: downFor)
    }

    private func startOnceFree(after delay: Int64) {
        world.plan(at: world.now + delay) { [weak self] in
            guard let self else { return }
            if process == nil { start() } else if isStopping { startOnceFree(after: 100_000_000) }
        }
    }

    private var isStopping: Bool { process.map { !$0.isServing } ?? false }

    /// Called before each of the process's effects: false once it is dead.
    func spendFuse() -> Bool {
        guard let (effects, end, downFor) = fuse else { return true }
        guard effects <= 1 else {
            fuse = (effects - 1, end, downFor)
            return true
        }
        fuse = nil
        process?.die()
        sudden += 1
        world.tally.add(.kills)
        if end == .powerLoss { isPowered = false }
        world.trace.note("\(name) \(end == .kill ? "is killed" : "loses its power")")
        world.plan(at: world.now + downFor) { [weak self] in self?.comeBack(end) }
        return false
    }

    private func comeBack(_ end: End) {
        if end == .powerLoss {
            isPowered = true
            boots += 1
            clock.reboot(bootID: "\(name)-\(boots)", now: Instant(milliseconds: 3000 + Int64(random.below(5000))))
        }
        world.trace.note("\(name) comes back")
        start()
    }

    /// Clears away what a dead process leaves.
    func sweep() {
        guard let dead = process, !dead.isAlive else { return }
        process = nil
        world.remember(dead)
        for connection in world.network.connections(of: dead, over: world.links) {
            if let end = connection.end(of: dead) { connection.abandon(end, tells: isPowered) }
        }
        world.network.forgetListeners(of: dead)
        if isPowered { disk.crash() } else { disk.losePower() }
        dead.tearDown()
    }

    /// The world is over.
    func forget() { processes = [] }

    /// The wall clock is wrong, and not synchronised, until each that made it wrong is over.
    func loseDate(by milliseconds: Int64, isOver: Bool = false) {
        guard !isDateSettled else { return }
        wasMisdated = true
        clock.wallMilliseconds += milliseconds
        misdated += milliseconds
        wrongDates += isOver ? -1 : 1
        clock.isSynchronised = wrongDates == 0
    }

    /// The wall clock is right from here on, and shows a time in the windows of routes.
    func settleDate(hasWindow: Bool) {
        isDateSettled = true
        clock.wallMilliseconds -= misdated
        clock.isSynchronised = true
        guard hasWindow else { return }
        let second = clock.wallMilliseconds / 1000 % 86_400
        let window = Scenario.Window.hours
        guard !window.isOpen(at: Int(second)) || !window.isOpen(at: Int(second) + 1200) else { return }
        let start = Int64(window.startMinute) * 60
        clock.wallMilliseconds += ((start - second + 86_400) % 86_400 + 60) * 1000
    }

    /// What the clock on the wall shows at first.
    func setWall(secondOfDay: Int64) {
        clock.wallMilliseconds += (secondOfDay - clock.wallMilliseconds / 1000 % 86_400) * 1000
    }

    func writerDelay() -> Int64 { 200_000 + Int64(random.below(9)) * 100_000 + slowness }
    func jitter() -> Double { random.fraction() }
}

/// What a machine is for.
enum Role: String {
    case node
    case cloud

    var endpoint: Endpoint { .tcp(host: rawValue, port: 1883) }
}
