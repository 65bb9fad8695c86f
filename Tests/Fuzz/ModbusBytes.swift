import Bridge
import EventLoop

@testable import Modbus

/// What a Modbus device may send: frames, responses, registers, and a line that has to make something of it all.
enum ModbusBytes {
    private static let requests: [Request] = [
        .read(.coil, address: 0, count: 10), .read(.holding, address: 0, count: 2), .writeCoil(address: 3, true),
        .writeRegister(address: 1, 3), .writeRegisters(address: 1, [10, 258]),
        .maskWrite(address: 4, and: 0xF2, or: 0x25),
        .readWrite(readAddress: 3, readCount: 2, writeAddress: 14, [255]), .identification(.regular, object: 0),
    ]

    static func take(_ input: [UInt8]) {
        for request in requests { answer(request, input) }
        frames(input)
        values(input)
        line(input)
    }

    private static func answer(_ request: Request, _ pdu: [UInt8]) {
        guard case .success(let response) = request.result(pdu) else { return }
        if case .data(let data) = response {
            precondition(data.count == request.dataBytes, "another length than asked for")
        }
        if let length = request.fixedLength { precondition(pdu.count == length, "an answer of another length") }
        precondition(request.responseLength(pdu) == pdu.count, "a length that the response doesn't have")
        let frame = RTUFrame.encode(unit: 1, pdu: pdu)
        precondition(RTUFrame.find(frame[...]) == .frame(frame.count), "an answer that is no frame")
    }

    private static func frames(_ input: [UInt8]) {
        guard case .frame(let length) = RTUFrame.find(input[...]) else { return }
        for count in 0..<length {
            precondition(RTUFrame.find(input[..<count]) == .incomplete, "a frame before it is whole")
        }
        precondition(CRC16.of(input[..<(length - 2)]) == UInt16(input[length - 2]) | UInt16(input[length - 1]) << 8)
    }

    /// What is read of registers is written back as the same registers.
    private static func values(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let types: [ValueType] = [
            .int16, .uint16, .int32, .uint32, .int64, .uint64, .float32, .float64, .bcd16, .bcd32,
        ]
        for order in ByteOrder.allCases {
            for type in types where input.count >= type.registers * 2 {
                var format = ValueFormat(type)
                format.order = order
                let bytes = input[..<(type.registers * 2)]
                guard let value = try? format.value(bytes), value.number != 0 else { continue }
                guard case .number(let number) = WantedValue(plain: value.plain),
                    let registers = try? format.registers(.number(number))
                else { continue }
                precondition(
                    registers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } == Array(bytes), "\(type) \(order)")
            }
            var text = ValueFormat(.string(min(246, max(1, input.count))))
            text.order = order
            if input.count.isMultiple(of: 2) { _ = try? text.value(input.prefix(text.type.registers * 2)) }
        }
        var scaled = ValueFormat(.int32)
        scaled.scale = DecimalNumber(Int128(first) + 1, places: Int(first % 8))
        scaled.offset = DecimalNumber(Int128(first), places: 1)
        if input.count >= 4 { _ = try? scaled.value(input[..<4]) }
        _ = DecimalNumber(String(decoding: input, as: UTF8.self))
        _ = WriteCommand(input, for: .uint16).result(.written, timestamp: 1)
        _ = try? ConnectionAddress(String(decoding: input, as: UTF8.self))
    }

    /// The bytes as the answer to a question, in pieces, in either framing.
    private static func line(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let clock = VirtualClock()
        let loop = EventLoop(clock: clock, poller: VirtualPoller())
        defer { loop.tearDown() }
        let network = MemoryNetwork(loop: loop)
        let framing: SimulatedServer.Framing = first & 1 == 0 ? .tcp : .rtu
        let server = SimulatedServer(loop: loop, framing: framing, devices: [1: SimulatedDevice()])
        guard (try? server.listen(on: network, host: "plc", port: 502)) != nil else { return }
        let step = max(1, Int(first >> 1))
        server.misbehaves = { exchange in
            for start in stride(from: 1, to: input.count, by: step) {
                exchange.stream.write(Array(input[start..<min(start + step, input.count)]))
            }
            return true
        }
        let line = Line(
            loop: loop, network: network,
            address: framing == .tcp ? .tcp(host: "plc", port: 502) : .rtuOverTCP(host: "plc", port: 502))
        line.open()
        clock.advance(by: .milliseconds(1), turning: loop)
        var answers = 0
        if line.isFree { line.ask(requests[1], unit: 1) { _ in answers += 1 } }
        clock.advance(by: .seconds(1), turning: loop)
        precondition(answers == 1, "answered \(answers) times")
        line.close()
        server.close()
    }
}
