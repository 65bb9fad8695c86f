import Bridge
import EventLoop
import Testing

@testable import Modbus

/// Polling on virtual time: pace, plans, silence, writes.
@Suite struct PollerTests {
    /// A poller over a rig's network.
    final class Polling {
        let rig: Rig
        let poller: DevicePoller
        let found = Found()

        init(
            _ framing: SimulatedServer.Framing, _ devices: [PolledDevice.Options],
            timeout: Duration = .milliseconds(500),
            pipeline: Int = 1
        ) throws {
            rig = try Rig(framing, units: devices.map(\.unit))
            var options = Line.Options()
            options.timeout = timeout
            options.pipeline = pipeline
            let line = Line(loop: rig.loop, network: rig.network, address: rig.address, options: options)
            poller = DevicePoller(name: "plc", loop: rig.loop, line: line, devices: devices)
            poller.delegate = found
        }

        deinit { poller.stop() }

        func start() {
            var phases = Phases()
            poller.start(&phases)
        }

        func pass(_ duration: Duration) { rig.pass(duration) }

        func write(_ value: WantedValue, to point: Int, of device: Int = 0, within time: Duration = .seconds(10))
            -> WriteOutcome?
        {
            var outcome: WriteOutcome?
            poller.write(value, to: point, of: poller.devices[device]) { outcome = $0 }
            let end = rig.clock.now + time
            while outcome == nil, rig.clock.now < end { pass(.milliseconds(10)) }
            return outcome
        }
    }

    private func point(
        _ name: String, _ address: Int, _ type: ValueType = .uint16, _ table: DataTable = .holding,
        every interval: Duration = .seconds(1)
    ) -> Point {
        var point = Point(name: name, table: table, address: address, format: ValueFormat(type), interval: interval)
        point.isWritable = table.isWritable
        return point
    }

    private func device(_ points: [Point]) -> PolledDevice.Options { device("press", unit: 1, points) }

    private func device(_ name: String, unit: UInt8, _ points: [Point]) -> PolledDevice.Options {
        PolledDevice.Options(name: name, unit: unit, points: points)
    }

    // MARK: - Plans

    @Test func nearPointsShareARequest() {
        let points = [
            point("a", 0), point("b", 1), point("c", 5, .float32), point("d", 18), point("e", 40),
            point("f", 0, .uint16, .input),
            point("g", 2, every: .seconds(5)), point("h", 3, .bool, .coil), point("i", 150, .bool, .coil),
        ]

        let blocks = ReadPlan.blocks(points, ReadPlan.Limits())

        // d is 11 registers behind c, beyond the gap of 10; coils may be 160 apart.
        #expect(blocks.map(\.places) == [0..<7, 18..<19, 40..<41, 0..<1, 2..<3, 3..<151])
        #expect(blocks.map(\.points) == [[0, 1, 2], [3], [4], [5], [6], [7, 8]])
    }

    @Test func noRequestIsLongerThanItMayBe() {
        var random = SplitMix64(state: 3)
        for _ in 0..<300 {
            var limits = ReadPlan.Limits()
            limits.gap = Int.random(in: 0...30, using: &random)
            limits.registers = Int.random(in: 4...125, using: &random)
            let types: [ValueType] = [.uint16, .float32, .float64]
            let points = (0..<60).map { index in
                point("\(index)", Int.random(in: 0..<2000, using: &random), types[index % 3])
            }

            let blocks = ReadPlan.blocks(points, limits)

            #expect(blocks.flatMap(\.points).sorted() == Array(0..<60))
            for block in blocks {
                #expect(block.places.count <= limits.registers)
                for point in block.points { #expect(block.places.contains(points[point].places.lowerBound)) }
                for point in block.points { #expect(points[point].places.upperBound <= block.places.upperBound) }
            }
        }
    }

    @Test func aRefusedReadIsSplitAndTheSplitRemembered() throws {
        let polling = try Polling(.tcp, [device((0..<8).map { point("p\($0)", $0 * 2) })])
        polling.rig.device.holes[.holding] = [5, 6]
        polling.start()
        polling.pass(.seconds(3))

        for index in 0..<8 where index != 3 {
            #expect(polling.found.last("press/p\(index)") == .good(.integer(Int64(1000 + 2 * index))))
        }
        #expect(polling.found.last("press/p3") == .bad(error: "exception 2, illegal data address"))
        #expect(polling.poller.devices[0].state == .unhealthy)
        let before = polling.poller.line.counters
        polling.pass(.seconds(10))
        let after = polling.poller.line.counters

        // One exception a second, of the place that isn't there; nothing is found out anew.
        #expect(after.exceptions - before.exceptions == 10)
        #expect(after.requests - before.requests == UInt64(polling.poller.devices[0].plan.count * 10))
    }

    @Test func aDeviceThatGivesFewerAtOnce() throws {
        let polling = try Polling(.tcp, [device((0..<40).map { point("p\($0)", $0) })])
        polling.rig.device.largestRead = 16
        polling.start()
        polling.pass(.seconds(3))

        #expect(polling.found.last("press/p39") == .good(.integer(1039)))
        #expect(polling.poller.devices[0].state == .online)
        #expect(polling.poller.devices[0].plan.allSatisfy { $0.places.count <= 16 })
    }

    // MARK: - Pace

    @Test func eachIntervalIsKept() throws {
        let polling = try Polling(
            .tcp,
            [
                device([
                    point("fast", 0, every: .milliseconds(100)), point("slow", 50, every: .seconds(1)),
                    point("slower", 90, every: .seconds(60)),
                ])
            ])
        polling.start()
        polling.pass(.seconds(60))
        polling.found.forget()

        polling.pass(.seconds(60))

        #expect(polling.found.count("press/fast") == 600)
        #expect(polling.found.count("press/slow") == 60)
        #expect(polling.found.count("press/slower") == 1)
        #expect(polling.poller.overruns == 0)
        let times = polling.found.readings.filter { $0.name == "press/slow" }.map(\.at)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == .seconds(1) })
    }

    @Test func requestsAreSpreadOverTheInterval() throws {
        let polling = try Polling(
            .tcp, [device((0..<10).map { point("p\($0)", 0, .uint16, every: .milliseconds(1000 + $0)) })])
        polling.start()
        polling.pass(.seconds(1))

        let times = polling.found.readings.map(\.at).sorted()
        #expect(times.count >= 10)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 < .milliseconds(300) })
    }

    @Test func whatCannotKeepUpIsCountedAndAsksOnce() throws {
        let polling = try Polling(.tcp, [device([point("p", 0, every: .milliseconds(100))])])
        polling.rig.server.misbehaves = { exchange in
            polling.rig.loop.schedule(after: .milliseconds(250)) { exchange.stream.write(exchange.answer) }
            return true
        }
        polling.start()
        polling.pass(.seconds(10))

        #expect((30...40).contains(polling.found.count("press/p")))
        #expect(polling.poller.overruns > 50)
    }

    // MARK: - Silence

    @Test func aSilentUnitDoesNotHoldUpItsNeighbours() throws {
        let polling = try Polling(
            .rtu,
            [
                device("a", unit: 1, [point("p", 0)]), device("silent", unit: 2, [point("p", 0), point("q", 50)]),
                device("b", unit: 3, [point("p", 0)]),
            ], timeout: .milliseconds(100))
        polling.rig.server.devices[2] = nil
        polling.start()
        polling.pass(.seconds(60))

        #expect(polling.found.last("silent/p") == .bad(error: "no answer in time"))
        #expect(polling.poller.devices.map(\.state) == [.online, .offline, .online])
        let late = polling.poller.line.counters.timeouts
        polling.found.forget()
        polling.pass(.seconds(300))

        #expect(polling.found.count("a/p") == 300)
        #expect(polling.found.count("b/p") == 300)
        #expect(polling.poller.line.counters.timeouts - late <= 6)

        polling.rig.server.devices[2] = SimulatedDevice()
        polling.pass(.seconds(61))
        #expect(polling.found.last("silent/p") == .good(.integer(0)))
        #expect(polling.found.last("silent/q") == .good(.integer(0)))
        #expect(polling.poller.devices[1].state == .online)
    }

    /// Behind a gateway that says nothing for those who aren't there.
    @Test func manySilentUnitsBehindAGateway() throws {
        let silent = (2...9).map { device("silent\($0)", unit: UInt8($0), [point("p", 0)]) }
        let there = device("there", unit: 1, [point("p", 0)])
        let polling = try Polling(.tcp, silent + [there], timeout: .milliseconds(100))
        for unit in 2...9 as ClosedRange<UInt8> { polling.rig.server.devices[unit] = nil }
        polling.rig.server.devices[1] = polling.rig.device
        polling.start()
        polling.pass(.seconds(120))
        polling.found.forget()
        let requests = polling.poller.line.counters.requests

        polling.pass(.seconds(300))

        #expect(polling.found.count("there/p") == 300)
        // The eight are asked once in up to a minute each.
        #expect(polling.poller.line.counters.requests - requests <= 300 + 8 * 8)
        polling.rig.server.devices[5] = SimulatedDevice()
        polling.pass(.seconds(65))
        #expect(polling.poller.devices[3].state == .online)
    }

    /// Some devices don't answer at all to what they lack; the rest of them is read on.
    @Test func oneRequestWithoutAnAnswerIsNotTheWholeDevice() throws {
        let polling = try Polling(.tcp, [device([point("p", 0), point("odd", 80)])], timeout: .milliseconds(50))
        polling.rig.server.misbehaves = { $0.pdu[2] == 80 }
        polling.start()
        polling.pass(.seconds(30))
        polling.found.forget()
        polling.pass(.seconds(60))

        // And now and then once more, to see whether the device is there.
        #expect((60...65).contains(polling.found.count("press/p")))
        #expect(polling.found.last("press/odd") == .bad(error: "no answer in time"))
        #expect(polling.poller.devices[0].state == .unhealthy)
    }

    @Test func oneLostAnswerIsNoFailure() throws {
        let polling = try Polling(.tcp, [device([point("p", 0)])])
        var count = 0
        polling.rig.server.misbehaves = { _ in
            count += 1
            return count.isMultiple(of: 2)
        }
        polling.start()
        polling.pass(.seconds(30))

        #expect(polling.found.readings.allSatisfy { $0.outcome == .good(.integer(1000)) })
    }

    @Test func aGatewayThatSpeaksForASilentDevice() throws {
        let polling = try Polling(.tcp, [device([point("p", 0)])])
        polling.rig.server.misbehaves = { exchange in
            exchange.stream.write(
                polling.rig.server.frame(unit: 1, pdu: [exchange.pdu[0] | 0x80, 11], transaction: exchange.transaction))
            return true
        }
        polling.start()
        polling.pass(.seconds(120))

        #expect(polling.found.last("press/p") == .bad(error: "exception 11, gateway target device failed to respond"))
        #expect(polling.poller.devices[0].state == .offline)
        #expect(polling.poller.line.counters.requests < 20)
    }

    @Test func aBusyDeviceIsAskedAgain() throws {
        let polling = try Polling(.tcp, [device([point("p", 0)])])
        var count = 0
        polling.rig.server.misbehaves = { exchange in
            count += 1
            guard count.isMultiple(of: 2) else {
                exchange.stream.write(
                    polling.rig.server.frame(
                        unit: 1, pdu: [exchange.pdu[0] | 0x80, 6], transaction: exchange.transaction))
                return true
            }
            return false
        }
        polling.start()
        polling.pass(.seconds(10))

        #expect(polling.found.readings.count == 10)
        #expect(polling.found.readings.allSatisfy { $0.outcome == .good(.integer(1000)) })
    }

    @Test func aLostConnectionIsAnEpisode() throws {
        let polling = try Polling(.tcp, [device([point("p", 0)])])
        polling.start()
        polling.pass(.seconds(5))
        #expect(polling.found.last("press/p") == .good(.integer(1000)))

        polling.rig.network.cut(.broken)
        polling.pass(.seconds(10))
        guard case .bad(let error)? = polling.found.last("press/p") else {
            Issue.record("\(String(describing: polling.found.last("press/p")))")
            return
        }
        #expect(error.hasPrefix("not connected: network unreachable"))
        #expect(polling.poller.devices[0].state == .offline)

        polling.rig.network.restore()
        polling.pass(.seconds(70))
        #expect(polling.found.last("press/p") == .good(.integer(1000)))
        #expect(polling.found.problems.count == 3)
    }

    /// A server that closes every idle connection, as some do after a second, costs nothing.
    @Test func aServerThatClosesIdleConnections() throws {
        let polling = try Polling(.tcp, [device([point("p", 0, every: .seconds(10))])])
        polling.start()
        for _ in 0..<20 {
            polling.pass(.seconds(5))
            polling.rig.server.dropConnections()
        }
        polling.pass(.seconds(20))

        #expect(polling.found.readings.allSatisfy { $0.outcome == .good(.integer(1000)) })
        #expect(polling.found.count("press/p") >= 11)
        #expect(polling.found.problems == [nil])
    }

    // MARK: - Writes

    @Test(
        arguments: [
            (0, WantedValue.number(DecimalNumber(4711)), [6, 3]),
            (1, .number(DecimalNumber(Int128(-2_000_000))), [16, 3]),
            (2, .boolean(true), [5, 1]), (3, .boolean(true), [22, 3]), (4, .text("Pump"), [16, 3]),
        ] as [(Int, WantedValue, [UInt8])])
    func writesByTheFunctionOfTheType(index: Int, value: WantedValue, functions: [UInt8]) throws {
        let points = [
            point("register", 10, every: .seconds(3600)), point("long", 12, .int32, every: .seconds(3600)),
            point("coil", 3, .bool, .coil, every: .seconds(3600)), point("bit", 20, .bit(4), every: .seconds(3600)),
            point("text", 30, .string(8), every: .seconds(3600)),
        ]
        let polling = try Polling(.tcp, [device(points)])
        polling.rig.device.holdings[20] = 0x8001
        polling.start()
        polling.pass(.milliseconds(10))
        let before = polling.rig.device.requests.count

        #expect(polling.write(value, to: index) == .written)

        #expect(Array(polling.rig.device.requests.dropFirst(before).prefix(2)) == functions)
        switch index {
        case 0: #expect(polling.rig.device.holdings[10] == 4711)
        case 1: #expect(polling.rig.device.holdings[12...13] == [0xFFE1, 0x7B80])
        case 2: #expect(polling.rig.device.coils[3])
        case 3: #expect(polling.rig.device.holdings[20] == 0x8011)
        default: #expect(polling.rig.device.holdings[30...33] == [0x5075, 0x6D70, 0, 0])
        }
        // What was written is read and told soon, not in an hour.
        polling.pass(.seconds(1))
        #expect(polling.found.last("press/\(points[index].name)") != nil)
    }

    @Test func devicesThatLackSingleWrites() throws {
        let polling = try Polling(
            .tcp, [device([point("register", 10), point("coil", 3, .bool, .coil), point("bit", 20, .bit(0))])])
        polling.rig.device.unknown = [.writeSingleCoil, .writeSingleRegister, .maskWriteRegister]
        polling.start()
        polling.pass(.milliseconds(10))

        #expect(polling.write(.number(DecimalNumber(7)), to: 0) == .written)
        #expect(polling.write(.boolean(true), to: 1) == .written)
        #expect(polling.rig.device.holdings[10] == 7)
        #expect(polling.rig.device.coils[3])
        guard case .refused(let why)? = polling.write(.boolean(true), to: 2) else {
            Issue.record("written without function 22")
            return
        }
        #expect(why.contains("read_modify_write"))
    }

    @Test func readModifyWriteWhereItIsAllowed() throws {
        var options = device([point("bit", 20, .bit(3))])
        options.readsModifiesWrites = true
        let polling = try Polling(.tcp, [options])
        polling.rig.device.unknown = [.maskWriteRegister]
        polling.rig.device.holdings[20] = 0xF0F0
        polling.start()
        polling.pass(.milliseconds(10))

        #expect(polling.write(.boolean(true), to: 0) == .written)
        #expect(polling.rig.device.holdings[20] == 0xF0F8)
    }

    /// Good is only what the device said and holds.
    @Test func whatTheDeviceDidNotDoIsNeverCalledWritten() throws {
        let polling = try Polling(.tcp, [device([point("p", 0, every: .seconds(3600))])], timeout: .milliseconds(100))
        polling.start()
        polling.pass(.milliseconds(10))
        let value = WantedValue.number(DecimalNumber(5))
        func answers(_ answer: @escaping (SimulatedServer.Exchange) -> [UInt8]?) -> WriteOutcome? {
            polling.rig.server.misbehaves = { exchange in
                guard exchange.pdu[0] != 3 else { return false }
                if let pdu = answer(exchange) {
                    exchange.stream.write(
                        polling.rig.server.frame(unit: 1, pdu: pdu, transaction: exchange.transaction))
                }
                return true
            }
            return polling.write(value, to: 0)
        }
        polling.rig.device.holdings[0] = 0

        #expect(answers { _ in nil } == .refused("no answer in time; it may have been written all the same"))
        #expect(answers { _ in [0x86, 4] } == .refused("exception 4, server device failure"))
        #expect(answers { _ in [6, 0, 0, 0, 6] }?.isRefused == true)
        // It says yes and does nothing.
        let liar = answers { exchange in
            polling.rig.device.holdings[0] = 0
            return exchange.pdu
        }
        #expect(liar == .refused("the device took it and holds 0"))
        polling.rig.device.holdings[0] = 0
        polling.rig.server.misbehaves = nil
        #expect(polling.write(value, to: 0) == .written)
        #expect(polling.rig.device.holdings[0] == 5)
    }

    @Test func whatMayNotBeWrittenIsRefusedBeforeAnythingIsSent() throws {
        var readOnly = point("p", 0)
        readOnly.isWritable = false
        let polling = try Polling(.tcp, [device([readOnly, point("q", 50)])])
        polling.start()
        polling.pass(.seconds(2))
        let writes = { polling.rig.device.requests.filter { $0 > 4 }.count }

        #expect(polling.write(.number(.one), to: 0)?.isRefused == true)
        #expect(polling.write(.number(DecimalNumber(65_536)), to: 1)?.isRefused == true)
        #expect(polling.write(.text("on"), to: 1)?.isRefused == true)
        #expect(writes() == 0)
        polling.rig.network.cut(.broken)
        polling.pass(.seconds(1))
        #expect(polling.write(.number(.one), to: 1)?.isRefused == true)
    }

    @Test func identificationOfADevice() throws {
        let polling = try Polling(.tcp, [device([point("p", 0)])])
        polling.rig.device.identification = [0: "Acme", 1: "P7", 2: "1.0", 4: "Press"]
        polling.start()
        polling.pass(.milliseconds(10))
        var result: Result<Identification, ModbusError>?

        polling.poller.identify(polling.poller.devices[0]) { result = $0 }
        polling.pass(.seconds(1))

        #expect(try result?.get().objects == [0: "Acme", 1: "P7", 2: "1.0", 4: "Press"])
    }

    // MARK: - Everything at once

    /// A device that answers late, not at all, for others, in pieces, with broken checks, and drops the line: whatever it does,
    /// no value is ever told that the register didn't hold, and once it behaves the next poll is right.
    @Test(arguments: [SimulatedServer.Framing.tcp, .rtu], [1, 2, 3, 4] as [UInt64])
    func aNastyDeviceNeverHasAWrongValueTold(framing: SimulatedServer.Framing, seed: UInt64) throws {
        // Blocks of the same length in several places, so that every late answer would fit another's question.
        let points = [0, 20, 40, 60, 80].map { point("p\($0)", $0, every: .milliseconds(300)) }
        let polling = try Polling(
            framing, [device(points), device("other", unit: 2, points)], timeout: .milliseconds(100))
        for place in 0..<100 { polling.rig.server.devices[2]?.holdings[place] = UInt16(5000 + place) }
        var random = SplitMix64(state: seed)
        let loop = polling.rig.loop
        polling.rig.server.misbehaves = { exchange in
            let stream = exchange.stream
            var answer = exchange.answer
            switch Int.random(in: 0..<12, using: &random) {
            case 0: return true
            case 1:
                loop.schedule(after: .milliseconds(Int.random(in: 90...1500, using: &random))) { stream.write(answer) }
            case 2:
                let bit = Int.random(in: 0..<answer.count * 8, using: &random)
                // TCP has a check of its own beneath us.
                guard framing == .rtu else { return false }
                answer[bit / 8] ^= 1 << UInt8(bit % 8)
                stream.write(answer)
            case 3:
                let half = answer.count / 2
                stream.write(Array(answer[..<half]))
                loop.schedule(after: .milliseconds(20)) { stream.write(Array(answer[half...])) }
            case 4: stream.close()
            case 5:
                let wrong = polling.rig.server.frame(
                    unit: exchange.unit == 1 ? 2 : 1, pdu: [3, 2, 0xDE, 0xAD], transaction: exchange.transaction)
                stream.write(wrong + answer)
            case 6 where framing == .tcp:
                stream.write(
                    polling.rig.server.frame(
                        unit: exchange.unit, pdu: [3, 2, 0xDE, 0xAD], transaction: exchange.transaction &- 1))
            case 7: stream.write(Array(answer.prefix(3)))
            default: return false
            }
            return true
        }
        polling.start()
        polling.pass(.seconds(300))

        func check() {
            for (name, outcome, _) in polling.found.readings {
                guard case .good(let value) = outcome else { continue }
                let parts = name.split(separator: "/p")
                let right = (parts[0] == "press" ? 1000 : 5000) + (Int64(parts[1]) ?? -1)
                #expect(value == .integer(right), "\(name)")
            }
        }
        check()
        #expect(polling.found.readings.count > 500)
        polling.rig.server.misbehaves = nil
        polling.pass(.seconds(65))
        polling.found.forget()
        polling.pass(.seconds(3))
        check()
        for name in ["press", "other"] {
            for point in points { #expect(polling.found.count("\(name)/\(point.name)") == 10, "\(name)/\(point.name)") }
        }
    }
}

extension WriteOutcome {
    fileprivate var isRefused: Bool { if case .refused = self { true } else { false } }
}
