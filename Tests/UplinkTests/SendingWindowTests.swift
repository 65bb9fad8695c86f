import EventLoop
import Testing

@testable import Uplink

/// A schedule with a clock to be told.
private final class Watched {
    var schedule: Schedule
    init(_ windows: [SendingWindow]) { schedule = Schedule(windows) }

    func isOpen(_ wall: Int64?, boot: Int64 = 0, offset: (Int64) -> Int = { _ in 0 }) -> Bool {
        schedule.isOpen(boot: boot, wall: { wall }, offset: offset)
    }
}

@Suite struct SendingWindowTests {
    private static func clock(_ text: String) -> Int64 {
        let parts = text.split(separator: ":").compactMap { Int64($0) }
        return (parts[0] * 60 + parts[1]) * 60_000
    }

    private static let night = SendingWindow(startMinute: 22 * 60, endMinute: 6 * 60)
    private static let noon = SendingWindow(startMinute: 12 * 60, endMinute: 13 * 60)
    /// Midnight UTC.
    private static let day: Int64 = 1_767_225_600_000

    private static let times: [([SendingWindow], String, Bool)] = [
        ([night], "21:59", false), ([night], "22:00", true), ([night], "23:59", true), ([night], "00:00", true),
        ([night], "05:59", true), ([night], "06:00", false), ([noon], "12:00", true), ([noon], "13:00", false),
        ([night, noon], "12:30", true), ([night, noon], "14:00", false), ([], "14:00", true),
        ([SendingWindow(startMinute: 0, endMinute: 1440)], "23:59", true),
    ]

    @Test(arguments: times)
    func itIsOpenInside(windows: [SendingWindow], time: String, isOpen: Bool) {
        let schedule = Watched(windows)
        let wall = Self.day + Self.clock(time)

        #expect(schedule.isOpen(wall) == isOpen)
    }

    @Test(arguments: [
        ([night], "12:00", "22:00"), ([night, noon], "07:00", "12:00"), ([night, noon], "13:00", "22:00"),
    ])
    func itSaysUntilWhen(windows: [SendingWindow], time: String, until: String) {
        let schedule = Watched(windows)
        let wall = Self.day + Self.clock(time)
        _ = schedule.isOpen(wall)

        #expect(schedule.schedule.text == "outside its window until \(until)")
    }

    @Test func theLocalClockCounts() {
        let schedule = Watched([Self.night])
        let wall = Self.day + Self.clock("20:30")

        #expect(schedule.isOpen(wall, offset: { _ in 2 * 3600 }))
    }

    /// Berlin, 2026: on March 29 at 01:00 UTC the clock goes from 02:00 to 03:00, on October 25 at 01:00 UTC back.
    private static func berlin(_ seconds: Int64) -> Int {
        (1_774_746_000..<1_792_890_000).contains(seconds) ? 7200 : 3600
    }

    private static let summerTimes: [(Int64, Int, Int, Bool)] = [
        // Night from March 28 on: 02:00 to 03:00 isn't there.
        (1_774_746_000 - 1, 120, 150, false), (1_774_746_000, 120, 150, false), (1_774_746_000, 150, 240, true),
        // October 25: 02:00 to 03:00 is there twice.
        (1_792_890_000 - 1800, 120, 180, true), (1_792_890_000 + 1800, 120, 180, true),
        (1_792_890_000 + 3600, 120, 180, false),
    ]

    @Test(arguments: summerTimes)
    func summerTimeIsWhatTheClockShows(seconds: Int64, start: Int, end: Int, isOpen: Bool) {
        let schedule = Watched([SendingWindow(startMinute: start, endMinute: end)])

        #expect(schedule.isOpen(seconds * 1000, offset: Self.berlin) == isOpen)
    }

    @Test func aStepOfTheClockIsNoticedWithinAMinute() {
        let schedule = Watched([Self.night])
        var wall = Self.day + Self.clock("12:00")
        #expect(!schedule.isOpen(wall))

        wall = Self.day + Self.clock("23:00")

        #expect(schedule.schedule.nextCheck == 60_000)
        #expect(schedule.isOpen(wall, boot: 60_000))
    }

    @Test func whileTheClockWasNeverSetItIsClosed() {
        let schedule = Watched([Self.night])
        #expect(!schedule.isOpen(nil))
        #expect(schedule.schedule.text == "outside its window until the clock is set")

        let wall = Self.day + Self.clock("23:00")
        #expect(schedule.isOpen(wall, boot: 1000))
        #expect(schedule.schedule.text == nil)
    }

    @Test func theEdgeIsMetExactly() {
        let schedule = Watched([Self.night])
        let wall = Self.day + Self.clock("21:59") + 30_250
        _ = schedule.isOpen(wall, boot: 5000)

        #expect(schedule.schedule.nextCheck == Int64(34_750))
    }
}

/// Routes with windows on an uplink. The world begins at midnight.
@Suite struct WindowedRouteTests {
    private func world() throws -> World {
        var bulk = RouteOptions(name: "bulk", priority: .bulk)
        bulk.windows = [SendingWindow(startMinute: 60, endMinute: 120)]
        return try World(routes: [bulk, RouteOptions(name: "live")]) { $0.heartbeat = .zero }
    }

    @Test func aRouteWaitsForItsWindowAndOthersDoNot() throws {
        let world = try world()
        world.connect()
        world.publish("bulk", waits: true)
        world.publish("live", route: 1)
        world.pass(.seconds(2))

        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == ["live"])
        #expect(world.uplink.holding(route: 0) == "outside its window until 01:00")
        #expect(world.uplink.holding(route: 1) == nil)
        #expect(world.uplink.error == nil)

        world.pass(.seconds(3595), step: .seconds(1))
        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == ["live"])
        world.pass(.seconds(5), step: .milliseconds(500))

        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == ["live", "bulk"])
        #expect(world.uplink.holding(route: 0) == nil)
        #expect(world.queues[0].messages == 0)
    }

    @Test func whatComesOutsideIsStoredAtOnce() throws {
        let world = try world()
        world.connect()

        world.publish("awaited", waits: true)
        world.settle()
        #expect(world.waiter.settled == [.success])
        #expect(world.engine.groups.flatMap(\.segments).count == 1)
        world.publish("0", qos: .atMostOnce)
        world.pass(.seconds(2))

        #expect(world.engine.groups.flatMap(\.segments).count == 2)
        #expect(world.queues[0].link.state == .down)
        #expect(world.queues[1].link.state == .healthy)
    }

    @Test func whatIsBeingSentAtTheEndIsFinished() throws {
        let world = try world()
        world.connect()
        world.pass(.seconds(7199), step: .seconds(1))
        world.upstream.isSilent = true
        world.publish("last")
        world.uplink.flush()
        world.settle()
        #expect(world.upstream.received.count == 1)

        world.pass(.seconds(2))
        world.publish("too late")
        world.uplink.flush()
        world.pass(.seconds(2))
        #expect(world.queues[0].messages == 2)
        world.upstream.isSilent = false
        world.upstream.acknowledge(world.upstream.received[0])
        world.settle()

        #expect(world.queues[0].messages == 1)
        #expect(world.uplink.holding(route: 0) == "outside its window until 01:00")
        #expect(world.upstream.received.count == 1)
    }

    @Test func aStepOfTheClockOpensIt() throws {
        let world = try world()
        world.connect()
        world.publish("bulk")
        world.pass(.seconds(10))
        #expect(world.queues[0].messages == 1)

        world.clock.wallMilliseconds += 90 * 60_000
        world.pass(.seconds(61))

        #expect(world.queues[0].messages == 0)
    }
}
