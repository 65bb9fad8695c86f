import Bridge
import EventLoop

/// What became of a write. Good means that the device said so, and, where the point is verified, that it was read back.
package enum WriteOutcome: Equatable {
    case written
    case refused(String)
}

extension DevicePoller {
    /// Writes one value. `completion` is called once.
    package func write(
        _ wanted: WantedValue, to index: Int, of device: PolledDevice, _ completion: @escaping (WriteOutcome) -> Void
    ) {
        let point = device.options.points[index]
        guard point.isWritable else { return completion(.refused("is not writable (writable = true)")) }
        do throws(ValueProblem) {
            let write = PointWrite(poller: self, device: device, point: point, completion: completion)
            if point.table == .coil {
                write.coil(try wanted.flag())
            } else if case .bit(let bit) = point.format.type {
                write.bit(point.format.bitOnWire(bit), try wanted.flag())
            } else {
                write.registers(try point.format.registers(wanted))
            }
        } catch {
            completion(.refused(error.description))
        }
    }

    /// The block that reads a point, so that what was written is soon seen.
    func refresh(_ point: Point, of device: PolledDevice) {
        for block in device.blocks
        where block.plan.table == point.table && block.plan.places.contains(point.address) {
            refresh(block)
        }
        serve()
    }
}

/// One write on its way: the request that this device knows for it, and the reading back.
private final class PointWrite {
    private let poller: DevicePoller
    private let device: PolledDevice
    private let point: Point
    private let completion: (WriteOutcome) -> Void
    private var address: UInt16 { UInt16(truncatingIfNeeded: point.address) }

    init(poller: DevicePoller, device: PolledDevice, point: Point, completion: @escaping (WriteOutcome) -> Void) {
        self.poller = poller
        self.device = device
        self.point = point
        self.completion = completion
    }

    func coil(_ isOn: Bool) {
        let expected = Expected(bytes: [isOn ? 1 : 0], mask: [1])
        let many = Request.writeCoils(address: address, [isOn])
        if device.writesMultiple { return send(many, instead: nil, expected) }
        send(.writeCoil(address: address, isOn), instead: many, expected)
    }

    func registers(_ values: [UInt16]) {
        let bytes = values.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        let expected = Expected(bytes: bytes, mask: [UInt8](repeating: 0xFF, count: bytes.count))
        let many = Request.writeRegisters(address: address, values)
        if values.count > 1 || device.writesMultiple { return send(many, instead: nil, expected) }
        send(.writeRegister(address: address, values[0]), instead: many, expected)
    }

    /// - Parameter bit: as the register is on the wire.
    func bit(_ bit: Int, _ isOn: Bool) {
        let mask = UInt16(1) << UInt16(bit)
        let maskBytes = [UInt8(mask >> 8), UInt8(truncatingIfNeeded: mask)]
        let expected = Expected(bytes: isOn ? maskBytes : [0, 0], mask: maskBytes)
        ask(.maskWrite(bit: bit, of: address, isOn)) { result in
            guard case .failure(.exception(.illegalFunction)) = result else { return self.answered(result, expected) }
            guard self.device.options.readsModifiesWrites else {
                return self.completion(
                    .refused(
                        "the device can't write one bit (function 22); read_modify_write = true writes the register"))
            }
            self.readModifyWrite(mask, isOn, expected)
        }
    }

    private func readModifyWrite(_ mask: UInt16, _ isOn: Bool, _ expected: Expected) {
        ask(.read(.holding, address: address, count: 1)) { result in
            guard case .success(.data(let data)) = result, data.count == 2 else {
                return self.answered(result, expected)
            }
            let before = UInt16(data[0]) << 8 | UInt16(data[1])
            let after = isOn ? before | mask : before & ~mask
            let many = Request.writeRegisters(address: self.address, [after])
            if self.device.writesMultiple { return self.send(many, instead: nil, expected) }
            self.send(.writeRegister(address: self.address, after), instead: many, expected)
        }
    }

    /// - Parameter instead: for devices that don't know the function of `request`; which is remembered.
    private func send(_ request: Request, instead other: Request?, _ expected: Expected) {
        ask(request) { result in
            guard case .failure(.exception(.illegalFunction)) = result, let other else {
                return self.answered(result, expected)
            }
            self.device.writesMultiple = true
            self.send(other, instead: nil, expected)
        }
    }

    private func answered(_ result: Result<Response, ModbusError>, _ expected: Expected) {
        switch result {
        case .failure(let error): fail(error)
        case .success where point.isVerified: verify(expected)
        case .success: done()
        }
    }

    private func verify(_ expected: Expected) {
        ask(.read(point.table, address: address, count: point.places.count)) { result in
            switch result {
            case .failure(let error): self.completion(.refused("written, but not read back: \(error)"))
            case .success(.data(let data)) where expected.matches(data): self.done()
            case .success(let answer): self.completion(.refused("the device took it and \(self.held(answer))"))
            }
            if case .success = result {} else { self.poller.refresh(self.point, of: self.device) }
        }
    }

    /// What the device holds in the place of what was written.
    private func held(_ answer: Response) -> String {
        guard case .data(let data) = answer, let value = try? point.value(in: data, from: point.address) else {
            return "holds something else"
        }
        return "holds \(value.plain)"
    }

    private func done() {
        completion(.written)
        poller.refresh(point, of: device)
    }

    private func fail(_ error: ModbusError) {
        let doubt =
            switch error {
            case .timedOut, .corrupt, .connectionLost, .malformed: "; it may have been written all the same"
            case .exception, .notConnected: ""
            }
        completion(.refused(error.description + doubt))
        poller.refresh(point, of: device)
    }

    private func ask(_ request: Request, _ completion: @escaping (Result<Response, ModbusError>) -> Void) {
        poller.add(DevicePoller.Task(device: device, request: request, completion: completion))
    }

    /// What the registers (or the coil) must hold, in the bits that were written.
    private struct Expected {
        var bytes: [UInt8]
        var mask: [UInt8]

        func matches(_ data: [UInt8]) -> Bool {
            data.count == bytes.count && data.indices.allSatisfy { data[$0] & mask[$0] == bytes[$0] & mask[$0] }
        }
    }
}
