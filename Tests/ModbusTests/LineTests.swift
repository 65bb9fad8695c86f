import EventLoop
import Testing

@testable import Modbus

/// What a line takes for an answer, and what it doesn't.
@Suite struct LineTests {
    @Test(arguments: [SimulatedServer.Framing.tcp, .rtu])
    func anAnswerInOnePieceOrMany(framing: SimulatedServer.Framing) throws {
        let rig = try Rig(framing)
        rig.open()
        #expect(rig.read(10, 3) == rig.expected(10, 3))

        for size in 1...9 {
            rig.server.misbehaves = { exchange in
                // A piece each millisecond.
                for (index, start) in stride(from: 0, to: exchange.answer.count, by: size).enumerated() {
                    let piece = Array(exchange.answer[start..<min(start + size, exchange.answer.count)])
                    rig.loop.schedule(after: .milliseconds(1 + index)) { exchange.stream.write(piece) }
                }
                return true
            }
            #expect(rig.read(20, 5) == rig.expected(20, 5), "pieces of \(size)")
        }
        #expect(rig.line.counters.foreign == 0)
    }

    @Test func pipelinedAnswersInAnyOrderAndJoined() throws {
        let rig = try Rig(.tcp) { $0.pipeline = 4 }
        rig.open()
        var held: [[UInt8]] = []
        rig.server.misbehaves = { exchange in
            held.append(exchange.answer)
            if held.count == 4 { exchange.stream.write(held.reversed().flatMap { $0 }) }
            return true
        }
        var answers: [Int: [UInt8]] = [:]

        for index in 0..<4 {
            rig.line.ask(.read(.holding, address: UInt16(index), count: 1), unit: 1) { result in
                if case .success(.data(let data)) = result { answers[index] = data }
            }
        }
        #expect(!rig.line.isFree)
        rig.pass(.milliseconds(10))

        #expect(answers == [0: [3, 232], 1: [3, 233], 2: [3, 234], 3: [3, 235]])
    }

    /// The late one has another transaction number; what it answered is long given up.
    @Test func aLateAnswerOnTCPIsDropped() throws {
        let rig = try Rig(.tcp)
        rig.open()
        var count = 0
        rig.server.misbehaves = { exchange in
            count += 1
            guard count == 1 else { return false }
            rig.loop.schedule(after: .milliseconds(510)) { exchange.stream.write(exchange.answer) }
            return true
        }

        #expect(rig.ask(.read(.holding, address: 0, count: 2)) == .failure(.timedOut))
        #expect(rig.read(50, 2) == rig.expected(50, 2))
        rig.pass(.seconds(1))
        #expect(rig.line.counters.foreign == 1)
    }

    /// RTU has no numbers: a question that the late answer would fit isn't even asked before it has come, or can come no more.
    @Test func aLateAnswerOnRTUIsNobodyElses() throws {
        let rig = try Rig(.rtu)
        rig.open()
        var count = 0
        rig.server.misbehaves = { exchange in
            count += 1
            guard count == 1 else { return false }
            rig.loop.schedule(after: .milliseconds(900)) { exchange.stream.write(exchange.answer) }
            return true
        }
        #expect(rig.ask(.read(.holding, address: 0, count: 2)) == .failure(.timedOut))

        let other = Request.read(.holding, address: 50, count: 2)
        // Of another length, another unit, or the same question: nothing to wait for.
        #expect(rig.line.hold(.read(.holding, address: 50, count: 3), unit: 1) == nil)
        #expect(rig.line.hold(other, unit: 2) == nil)
        #expect(rig.line.hold(.read(.holding, address: 0, count: 2), unit: 1) == nil)
        #expect(rig.line.hold(other, unit: 1) != nil)
        // Now that another one waits, the same question does too, unless it is the retry.
        #expect(rig.line.hold(.read(.holding, address: 0, count: 2), unit: 1) != nil)
        #expect(rig.line.hold(.read(.holding, address: 0, count: 2), unit: 1, isRetry: true) == nil)
        rig.pass(.milliseconds(2000))

        #expect(rig.line.hold(other, unit: 1) == nil)
        #expect(rig.read(50, 2) == rig.expected(50, 2))
        #expect(rig.line.counters.foreign == 1)
    }

    @Test func anAnswerThatNeverComesHoldsOthersForASecondOrTwo() throws {
        let rig = try Rig(.rtu)
        rig.open()
        rig.server.misbehaves = { _ in true }
        #expect(rig.ask(.read(.holding, address: 0, count: 2)) == .failure(.timedOut))
        rig.server.misbehaves = nil
        let other = Request.read(.holding, address: 50, count: 2)

        rig.pass(.milliseconds(1900))
        #expect(rig.line.hold(other, unit: 1) != nil)
        rig.pass(.milliseconds(200))
        #expect(rig.line.hold(other, unit: 1) == nil)
    }

    @Test func anAnswerOfAnotherKindShowsThatTheUnitIsPastIt() throws {
        let rig = try Rig(.rtu)
        rig.open()
        rig.server.misbehaves = { _ in true }
        #expect(rig.ask(.read(.holding, address: 0, count: 2)) == .failure(.timedOut))
        rig.server.misbehaves = nil

        #expect(rig.read(0, 3) == rig.expected(0, 3))

        #expect(rig.line.hold(.read(.holding, address: 50, count: 2), unit: 1) == nil)
    }

    /// A late exception is not held against the question that is asked now.
    @Test func aLateExceptionOnRTUIsDropped() throws {
        let rig = try Rig(.rtu)
        rig.open()
        var count = 0
        rig.server.misbehaves = { exchange in
            count += 1
            let answer = count == 1 ? rig.server.frame(unit: 1, pdu: [0x83, 2]) : exchange.answer
            rig.loop.schedule(after: count == 1 ? .milliseconds(600) : .milliseconds(200)) {
                exchange.stream.write(answer)
            }
            return true
        }

        #expect(rig.ask(.read(.holding, address: 0, count: 2)) == .failure(.timedOut))
        #expect(rig.read(0, 3) == rig.expected(0, 3))
    }

    @Test(arguments: [SimulatedServer.Framing.tcp, .rtu])
    func anotherUnitsAnswerIsDropped(framing: SimulatedServer.Framing) throws {
        let rig = try Rig(framing, units: [1, 2])
        rig.open()
        rig.server.misbehaves = { exchange in
            exchange.stream.write(
                rig.server.frame(unit: 2, pdu: [3, 4, 0, 1, 0, 2], transaction: exchange.transaction) + exchange.answer)
            return true
        }

        #expect(rig.read(7, 2) == rig.expected(7, 2))
        #expect(rig.line.counters.foreign == 1)
    }

    @Test func anotherTransactionsAnswerIsDropped() throws {
        let rig = try Rig(.tcp)
        rig.open()
        rig.server.misbehaves = { exchange in
            exchange.stream.write(
                rig.server.frame(unit: 1, pdu: [3, 4, 0, 1, 0, 2], transaction: exchange.transaction &+ 1))
            return true
        }

        #expect(rig.ask(.read(.holding, address: 7, count: 2)) == .failure(.timedOut))
    }

    /// Whichever bit is wrong, nothing is taken for a value.
    @Test func aFrameWithAnyBitWrongIsNoAnswer() throws {
        let rig = try Rig(.rtu)
        rig.open()
        let length = 9
        for bit in 0..<length * 8 {
            rig.server.misbehaves = { exchange in
                var answer = exchange.answer
                answer[bit / 8] ^= 1 << UInt8(bit % 8)
                exchange.stream.write(answer)
                return true
            }
            switch rig.ask(.read(.holding, address: 7, count: 2)) {
            case .failure(.corrupt), .failure(.timedOut): break
            case let other: Issue.record("bit \(bit): \(other)")
            }
        }
        rig.server.misbehaves = nil
        rig.pass(.seconds(3))

        #expect(rig.read(7, 2) == rig.expected(7, 2))
    }

    @Test func noiseBeforeAndBehindAFrame() throws {
        let rig = try Rig(.rtu)
        rig.open()
        var random = SplitMix64(state: 7)
        for _ in 0..<200 {
            let noise = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            rig.server.misbehaves = { exchange in
                exchange.stream.write(noise + exchange.answer + noise)
                return true
            }
            #expect(rig.read(7, 2) == rig.expected(7, 2), "\(noise)")
        }
    }

    /// What looks like the beginning of a long frame holds nothing up.
    @Test func theBeginningOfAFrameThatNeverComes() throws {
        let rig = try Rig(.rtu)
        rig.open()
        rig.server.misbehaves = { exchange in
            exchange.stream.write([1, 3, 250, 0, 0] + exchange.answer)
            return true
        }

        #expect(rig.read(7, 2) == rig.expected(7, 2))
    }

    @Test func adaptersThatEcho() throws {
        let rig = try Rig(.rtu)
        rig.open()
        rig.server.misbehaves = { exchange in
            let request = RTUFrame.encode(unit: exchange.unit, pdu: exchange.pdu)
            exchange.stream.write(Array(request.prefix(3)))
            rig.loop.schedule(after: .milliseconds(1)) { exchange.stream.write(Array(request.dropFirst(3))) }
            // The device itself is silent on writes.
            if exchange.pdu[0] == 3 {
                rig.loop.schedule(after: .milliseconds(5)) { exchange.stream.write(exchange.answer) }
            }
            return true
        }

        #expect(rig.read(7, 2) == rig.expected(7, 2))
        // A single write is answered by its echo; the adapter's is not the device's.
        #expect(rig.ask(.writeRegister(address: 3, 5)) == .failure(.timedOut))
    }

    @Test func aLostConnectionFailsWhatIsUnderWayAndIsMadeAnew() throws {
        let rig = try Rig(.tcp)
        rig.open()
        rig.server.misbehaves = { exchange in
            exchange.stream.close()
            return true
        }
        guard case .failure(.connectionLost) = rig.ask(.read(.holding, address: 0, count: 1)) else {
            Issue.record("not lost")
            return
        }
        rig.server.misbehaves = nil
        rig.pass(.milliseconds(10))

        #expect(rig.line.isConnected)
        #expect(rig.closings.isEmpty)
        #expect(rig.read(0, 1) == rig.expected(0, 1))
    }

    @Test func aPortWhereNobodyIsIsTriedLessAndLessOften() throws {
        let rig = try Rig(.tcp)
        rig.server.close()
        rig.line.open()

        rig.pass(.seconds(60))
        let first = rig.closings.count
        rig.pass(.seconds(600))

        #expect((5...12).contains(first), "\(first)")
        #expect((9...22).contains(rig.closings.count - first), "\(rig.closings.count - first)")
    }

    @Test func whatIsNotModbusIsSaid() throws {
        let rig = try Rig(.tcp)
        rig.open()
        rig.server.misbehaves = { exchange in
            exchange.stream.write(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            return true
        }

        _ = rig.ask(.read(.holding, address: 0, count: 1))

        #expect(rig.line.problem?.contains("doesn't speak Modbus TCP") ?? rig.line.isConnected)
    }

    @Test func aServerThatHangsIsConnectedToAnew() throws {
        let rig = try Rig(.tcp)
        rig.open()
        rig.server.misbehaves = { _ in true }
        for _ in 0..<4 {
            #expect(rig.ask(.read(.holding, address: 0, count: 1)) == .failure(.timedOut))
            rig.pass(.seconds(10))
        }
        rig.server.misbehaves = nil
        rig.pass(.seconds(2))

        #expect(rig.line.counters.connections == 2)
        #expect(rig.read(0, 1) == rig.expected(0, 1))
    }
}
