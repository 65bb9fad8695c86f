import EventLoop

/// Simulated devices behind one listener, in either framing.
package final class SimulatedServer: ByteStreamDelegate {
    package enum Framing: Sendable {
        case tcp, rtu
    }

    /// One request, and the frame that answers it rightly.
    package struct Exchange {
        package let stream: ByteStream
        package let unit: UInt8
        package let pdu: [UInt8]
        package let transaction: UInt16
        package let answer: [UInt8]
    }

    package var devices: [UInt8: SimulatedDevice]
    /// Answers in the place of the server, wrongly if it likes; false: it shall answer as it should.
    package var misbehaves: ((Exchange) -> Bool)?
    package private(set) var streams: [ByteStream] = []
    package private(set) var requests = 0

    private let framing: Framing
    private let loop: EventLoop
    private var listener: (any Listener)?

    package init(loop: EventLoop, framing: Framing = .tcp, devices: [UInt8: SimulatedDevice]) {
        self.loop = loop
        self.framing = framing
        self.devices = devices
    }

    package func listen(on network: any Network, host: String, port: UInt16) throws(NetworkError) {
        listener = try network.listen(.tcp(host: host, port: port)) { [weak self] stream in
            guard let self else { return stream.close() }
            stream.delegate = self
            self.streams.append(stream)
        }
    }

    package func close() {
        listener?.close()
        dropConnections()
    }

    /// Closes what is open; others may come.
    package func dropConnections() {
        for stream in streams { stream.close() }
        streams = []
    }

    package func frame(unit: UInt8, pdu: [UInt8], transaction: UInt16 = 0) -> [UInt8] {
        framing == .rtu
            ? RTUFrame.encode(unit: unit, pdu: pdu)
            : TCPFrame.encode(transaction: transaction, unit: unit, pdu: pdu)
    }

    // MARK: - Requests

    package func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while let length = requestLength(bytes[consumed...]), bytes.count - consumed >= length {
            let request = [UInt8](bytes[consumed..<consumed + length])
            consumed += length
            take(request, stream)
            if stream.isClosed { return bytes.count }
        }
        return consumed
    }

    package func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        streams.removeAll { $0 === stream }
    }

    private func take(_ frame: [UInt8], _ stream: ByteStream) {
        requests += 1
        let unit = framing == .rtu ? frame[0] : frame[6]
        let pdu = Array(framing == .rtu ? frame[1..<frame.count - 2] : frame[TCPFrame.headerLength...])
        let transaction = framing == .rtu ? 0 : UInt16(frame[0]) << 8 | UInt16(frame[1])
        guard let device = devices[unit] else {
            _ = misbehaves?(Exchange(stream: stream, unit: unit, pdu: pdu, transaction: transaction, answer: []))
            return
        }
        let answer = self.frame(unit: unit, pdu: device.answer(pdu), transaction: transaction)
        let exchange = Exchange(stream: stream, unit: unit, pdu: pdu, transaction: transaction, answer: answer)
        if misbehaves?(exchange) != true { stream.write(answer) }
    }

    /// Of the first request's frame; nil: not known yet, or not a request.
    private func requestLength(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        if framing == .tcp { return (try? TCPFrame.head(bytes))??.length }
        guard bytes.count >= 2 else { return nil }
        func byte(_ offset: Int) -> Int? { bytes.count > offset ? Int(bytes[bytes.startIndex + offset]) : nil }
        switch FunctionCode(rawValue: UInt8(byte(1) ?? 0)) {
        case .writeMultipleCoils, .writeMultipleRegisters: return byte(6).map { 9 + $0 }
        case .readWriteMultipleRegisters: return byte(10).map { 13 + $0 }
        case .maskWriteRegister: return 10
        case .encapsulatedInterfaceTransport: return 7
        default: return 8
        }
    }
}
