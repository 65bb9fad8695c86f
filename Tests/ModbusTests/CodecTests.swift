import Testing

@testable import Modbus

@Suite struct CodecTests {
    private func bytes(_ hexadecimal: String) -> [UInt8] {
        hexadecimal.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    /// The examples that Modbus Application Protocol 1.1b3 §6 prints for each function.
    @Test(
        arguments: [
            (.read(.coil, address: 0x13, count: 0x13), "01 00 13 00 13", "01 03 CD 6B 05", .data([0xCD, 0x6B, 0x05])),
            (
                .read(.discrete, address: 0xC4, count: 0x16), "02 00 C4 00 16", "02 03 AC DB 35",
                .data([0xAC, 0xDB, 0x35])
            ),
            (
                .read(.holding, address: 0x6B, count: 3), "03 00 6B 00 03", "03 06 02 2B 00 00 00 64",
                .data([0x02, 0x2B, 0, 0, 0, 0x64])
            ),
            (.read(.input, address: 8, count: 1), "04 00 08 00 01", "04 02 00 0A", .data([0, 0x0A])),
            (.writeCoil(address: 0xAC, true), "05 00 AC FF 00", "05 00 AC FF 00", .done),
            (.writeRegister(address: 1, 3), "06 00 01 00 03", "06 00 01 00 03", .done),
            (
                .writeCoils(address: 0x13, [true, false, true, true, false, false, true, true, true, false]),
                "0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A", .done
            ),
            (.writeRegisters(address: 1, [0x000A, 0x0102]), "10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02", .done),
            (.maskWrite(address: 4, and: 0x00F2, or: 0x0025), "16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25", .done),
            (
                .readWrite(readAddress: 3, readCount: 6, writeAddress: 0x0E, [0xFF, 0xFF, 0xFF]),
                "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF", "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF",
                .data([0, 0xFE, 0x0A, 0xCD, 0, 1, 0, 3, 0, 0x0D, 0, 0xFF])
            ),
        ] as [(Request, String, String, Response)])
    func examplesOfTheSpecification(request: Request, pdu: String, answer: String, response: Response) throws {
        #expect(request.pdu == bytes(pdu))
        #expect(try request.response(bytes(answer)) == response)
        #expect(request.responseLength(bytes(answer)) == bytes(answer).count)
    }

    @Test func exceptionsHaveNames() {
        let names = [
            "illegal function", "illegal data address", "illegal data value", "server device failure", "acknowledge",
            "server device busy", "negative acknowledge", "memory parity error", "not assigned",
            "gateway path unavailable", "gateway target device failed to respond",
        ]
        for (index, name) in names.enumerated() {
            let request = Request.read(.holding, address: 0, count: 1)
            let answer: [UInt8] = [0x83, UInt8(index + 1)]
            do throws(ModbusError) {
                _ = try request.response(answer)
                Issue.record("taken for a value")
            } catch {
                #expect(error == .exception(ExceptionCode(rawValue: UInt8(index + 1))))
                #expect(error.description == "exception \(index + 1), \(name)")
            }
        }
    }

    @Test(arguments: [
        "", "03", "03 06 00 00", "03 05 02 2B 00 00 00", "03 06 02 2B 00 00 00 64 00", "04 06 02 2B 00 00 00 64",
        "83", "83 02 00", "84 02",
    ])
    func whatIsNoAnswerIsRefused(answer: String) {
        let request = Request.read(.holding, address: 0x6B, count: 3)

        do throws(ModbusError) {
            _ = try request.response(bytes(answer))
            Issue.record("taken")
        } catch {
            guard case .malformed = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    /// Every response that a write can get but its own is another place's or value's.
    @Test func writesAreAnsweredByTheirEchoAlone() {
        let request = Request.writeRegister(address: 1, 3)
        for index in 1..<5 {
            var answer = request.pdu
            answer[index] ^= 1
            #expect(throws: ModbusError.self) { try request.response(answer) }
        }
    }

    @Test func identificationInParts() throws {
        let device = SimulatedDevice()
        device.identification = [0: "Acme", 1: "P7", 2: "1.0", 5: "Press", 128: "private"]
        var identification = Identification()
        var object: UInt8? = 0
        while let next = object {
            let request = Request.identification(.regular, object: next)
            let answer = device.answer(request.pdu)
            #expect(request.responseLength(answer) == answer.count)
            #expect(request.responseLength(answer.dropLast()) ?? answer.count == answer.count)
            guard case .identification(let part) = try request.response(answer) else {
                Issue.record("no part")
                return
            }
            identification.objects.merge(part.objects) { $1 }
            object = part.next
        }

        #expect(identification.objects == device.identification)
        #expect(
            String(decoding: identification.json, as: UTF8.self)
                == #"{"vendor":"Acme","product_code":"P7","revision":"1.0","model":"Press","objects":{"128":"private"}}"#
        )
    }

    /// Modbus over Serial Line 1.02 §6.2.2, and the check value of CRC-16/MODBUS.
    @Test func checksOfFrames() {
        #expect(CRC16.of(Array("123456789".utf8)) == 0x4B37)
        #expect(RTUFrame.encode(unit: 2, pdu: [7]) == [0x02, 0x07, 0x41, 0x12])
    }

    @Test(
        arguments: [
            ("tcp://plc", .tcp(host: "plc", port: 502)), ("tcp://[::1]:1502", .tcp(host: "::1", port: 1502)),
            ("rtu+tcp://10.0.0.1:4001", .rtuOverTCP(host: "10.0.0.1", port: 4001)),
            ("tcp://plc/", .tcp(host: "plc", port: 502)),
        ] as [(String, ConnectionAddress)])
    func addresses(text: String, address: ConnectionAddress) throws {
        #expect(try ConnectionAddress(text) == address)
    }

    @Test func serialLines() throws {
        let line = try SerialLine("/dev/ttyUSB0?baud=9600&parity=none")
        #expect(line.stopBits == 2)
        #expect(line.silence == .nanoseconds(4_010_416))
        #expect(try SerialLine("/dev/ttyUSB0?baud=115200").silence == .microseconds(1750))
        #expect("\(try SerialLine("/dev/ttyS1?rs485=on"))" == "/dev/ttyS1?baud=19200&parity=even&stop=1&rs485=on")
    }

    @Test(arguments: [
        "plc:502", "http://plc", "tcp://", "tcp://plc:0", "tcp://plc:99999", "tcp://::1", "rtu+tcp://plc",
        "rtu://ttyUSB0", "rtu:///dev/ttyUSB0?baud=fast", "rtu:///dev/ttyUSB0?speed=9600", "rtu:///dev/ttyUSB0?stop=3",
        "rtu:///dev/ttyUSB0?parity=mark",
    ])
    func addressesThatAreNone(text: String) {
        #expect(throws: ConnectionAddress.Problem.self) { try ConnectionAddress(text) }
    }
}
