import EventLoop

/// Told what becomes of a line, on its loop.
package protocol LineDelegate: AnyObject {
    func lineDidConnect(_ line: Line)

    /// The connection, or an attempt at one, is over; whatever was under way has failed before. The line tries again by itself.
    func line(_ line: Line, didClose reason: String)

    /// A place for another request is free.
    func lineIsFree(_ line: Line)
}

/// One connection to one or more devices, and the requests that are under way on it: one on a serial line, which can't carry
/// more, and as many as `pipeline` says on TCP. An answer is a request's only if everything about it fits: unit, function,
/// length, and the transaction on TCP, the check on RTU. All others are dropped. It connects by itself, again and again.
package final class Line {
    package struct Options {
        /// From sending until the device begins to answer.
        package var timeout: Duration = .milliseconds(500)
        /// Requests under way at one time; TCP alone takes more than 1.
        package var pipeline = 1
        package var connectTimeout: Duration = .seconds(5)
        package var reconnect = Backoff(min: .seconds(1), max: .seconds(60))
        /// Off: one attempt, and nothing after a lost connection.
        package var reconnects = true
        /// A TCP connection over which nothing has come for so long, whatever was asked, is made anew: its peer may hang, or be
        /// another machine by now.
        package var deadAfter: Duration = .seconds(30)

        package init() {}
    }

    package typealias Completion = (Result<Response, ModbusError>) -> Void

    struct Exchange {
        let request: Request
        let unit: UInt8
        let transaction: UInt16
        let frame: [UInt8]
        let completion: Completion
        var timer = Timer.none
    }

    /// How long after its time an answer on RTU may still come; see `LateAnswers`.
    private static let leastLateness: Duration = .seconds(2)
    private var lateness: Duration { max(Self.leastLateness, options.timeout * 4) }
    private static let silencesOfDeadConnection = 4
    /// A connection that held so long is made anew at once.
    private static let proven: Duration = .seconds(2)

    package let address: ConnectionAddress
    package weak var delegate: (any LineDelegate)?
    package private(set) var counters = LineCounters()
    /// Why there is no connection; nil: there is, or none was tried.
    package private(set) var problem: String?

    let loop: EventLoop
    private let network: any Network
    private let options: Options
    private var stream: ByteStream?
    private var connecting: (any Connecting)?
    private var reconnectTimer = Timer.none
    private var isOpen = false
    private var backoff: Backoff
    private var connectedAt = Instant(nanoseconds: 0)
    private var exchanges: [Exchange] = []
    private var transaction: UInt16 = 0
    /// Unanswered requests since something came, and when that was.
    private var silences = 0
    private var heardAt = Instant(nanoseconds: 0)
    // RTU alone.
    private var received: [UInt8] = []
    /// Bytes since the request was sent that were no other frame.
    private var heard = 0
    /// What is sent comes back; and has for the request under way.
    private var echoes = false
    private var isEchoDropped = false
    private var quietFrom = Instant(nanoseconds: 0)
    private var late = LateAnswers()

    package init(loop: EventLoop, network: any Network, address: ConnectionAddress, options: Options = Options()) {
        self.loop = loop
        self.network = network
        self.address = address
        self.options = options
        backoff = options.reconnect
    }

    // MARK: - Life

    package var isConnected: Bool { stream != nil }

    private var isSerial: Bool { if case .serial = address { true } else { false } }

    /// Whether a request can be sent now.
    package var isFree: Bool { isConnected && exchanges.count < (address.isRTU ? 1 : options.pipeline) }

    package func open() {
        guard !isOpen else { return }
        isOpen = true
        connect()
    }

    /// Requests under way fail; nothing is told to the delegate.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        loop.cancel(reconnectTimer)
        connecting?.cancel()
        connecting = nil
        dropStream()
        failAll(.notConnected("closed"))
    }

    private func connect() {
        switch address {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port):
            connecting = network.connect(to: .tcp(host: host, port: port), timeout: options.connectTimeout) {
                [weak self] result in
                guard let self, self.isOpen else { return }
                self.connecting = nil
                switch result {
                case .success(let stream): self.opened(stream)
                case .failure(let error): self.lost("\(error)")
                }
            }
        case .serial(let line):
            do throws(SerialProblem) {
                opened(try SerialStream.open(line, on: loop))
            } catch {
                lost(error.message)
            }
        }
    }

    private func opened(_ stream: ByteStream) {
        self.stream = stream
        stream.delegate = self
        problem = nil
        connectedAt = loop.now
        quietFrom = loop.now
        silences = 0
        heardAt = loop.now
        received = []
        // A serial server may still bring what an earlier connection asked for; a serial device has been emptied.
        echoes = false
        counters.connections += 1
        delegate?.lineDidConnect(self)
        if isFree { delegate?.lineIsFree(self) }
    }

    private func dropStream() {
        stream?.delegate = nil
        stream?.close()
        stream = nil
    }

    private func lost(_ reason: String) {
        let wasConnected = stream != nil
        if wasConnected && loop.now - connectedAt >= Self.proven { backoff.reset() }
        dropStream()
        problem = reason
        // A peer that closes an idle connection is no failure, if it takes the next.
        let isMadeAnewAtOnce = wasConnected && backoff.failures == 0 && options.reconnects
        let delay = backoff.next(random: .random(in: 0..<1))
        // Before anything is told: who hears of it may close the line.
        if options.reconnects {
            reconnectTimer = loop.schedule(after: isMadeAnewAtOnce ? .zero : delay) { [weak self] in self?.connect() }
        }
        failAll(wasConnected ? .connectionLost(reason) : .notConnected(reason))
        if isOpen, !isMadeAnewAtOnce { delegate?.line(self, didClose: reason) }
    }

    private func failAll(_ error: ModbusError) {
        let failed = exchanges
        exchanges = []
        for exchange in failed {
            loop.cancel(exchange.timer)
            exchange.completion(.failure(error))
        }
    }

    // MARK: - Asking

    /// When this request may be sent; nil: now, if the line is free. On RTU a late answer to another one may be due, which
    /// would pass for this one's.
    package func hold(_ request: Request, unit: UInt8, isRetry: Bool = false) -> Instant? {
        address.isRTU ? late.hold(request, unit: unit, isRetry: isRetry, loop.now) : nil
    }

    /// Sends a request; the line must be free. `completion` is called once, in a later tick or when the line is lost.
    package func ask(_ request: Request, unit: UInt8, _ completion: @escaping Completion) {
        precondition(isFree, "asked on a line that is not free")
        counters.requests += 1
        transaction &+= 1
        let pdu = request.pdu
        let frame =
            address.isRTU
            ? RTUFrame.encode(unit: unit, pdu: pdu)
            : TCPFrame.encode(transaction: transaction, unit: unit, pdu: pdu)
        exchanges.append(
            Exchange(request: request, unit: unit, transaction: transaction, frame: frame, completion: completion))
        guard case .serial = address, loop.now < quietFrom else { return send(transaction) }
        loop.schedule(at: quietFrom) { [weak self, transaction] in self?.send(transaction) }
    }

    private func send(_ transaction: UInt16) {
        guard let stream, let index = exchanges.firstIndex(where: { $0.transaction == transaction }) else { return }
        var patience = options.timeout
        if case .serial(let line) = address {
            let answer = (exchanges[index].request.fixedLength ?? RTUFrame.largest - 3) + 3
            patience += line.time(of: exchanges[index].frame.count + answer)
        }
        if address.isRTU {
            received.removeAll(keepingCapacity: true)
            heard = 0
            isEchoDropped = false
        }
        stream.write(exchanges[index].frame)
        exchanges[index].timer = loop.schedule(after: patience) { [weak self] in self?.timeOut(transaction) }
    }

    private func timeOut(_ transaction: UInt16) {
        guard let index = exchanges.firstIndex(where: { $0.transaction == transaction }) else { return }
        let exchange = exchanges.remove(at: index)
        var error = ModbusError.timedOut
        if address.isRTU {
            if heard > 0 { error = .corrupt }
            // An answer that came in full, and broken, comes no more.
            if heard != (exchange.request.fixedLength ?? 0) + 3 {
                late.add(exchange.request, unit: exchange.unit, until: loop.now + lateness)
            }
            received.removeAll(keepingCapacity: true)
        }
        if error == .corrupt { counters.corrupt += 1 } else { counters.timeouts += 1 }
        silences += 1
        exchange.completion(.failure(error))
        if silences >= Self.silencesOfDeadConnection, loop.now - heardAt >= options.deadAfter, isConnected, !isSerial {
            lost("\(silences) requests in a row without an answer")
        } else if isFree {
            delegate?.lineIsFree(self)
        }
    }

    private func finish(_ index: Int, _ result: Result<Response, ModbusError>) {
        let exchange = exchanges.remove(at: index)
        loop.cancel(exchange.timer)
        switch result {
        case .success: counters.answers += 1
        case .failure: counters.exceptions += 1
        }
        backoff.reset()
        exchange.completion(result)
        if isFree { delegate?.lineIsFree(self) }
    }
}

/// What a line has seen since it was made.
package struct LineCounters: Equatable {
    package var connections: UInt64 = 0
    package var requests: UInt64 = 0
    package var answers: UInt64 = 0
    /// Answers that say that the device can't.
    package var exceptions: UInt64 = 0
    package var timeouts: UInt64 = 0
    /// RTU: the check failed.
    package var corrupt: UInt64 = 0
    /// Frames of other units or transactions, or too late.
    package var foreign: UInt64 = 0
}

// MARK: - Receiving

extension Line: ByteStreamDelegate {
    package func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        guard stream === self.stream else { return bytes.count }
        silences = 0
        heardAt = loop.now
        guard address.isRTU else { return receiveTCP(bytes) }
        if case .serial(let line) = address { quietFrom = loop.clock.now + line.silence }
        received += bytes
        heard += bytes.count
        receiveRTU()
        return bytes.count
    }

    package func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        guard stream === self.stream else { return }
        lost(error.map { "\($0)" } ?? "closed by \(stream.peer)")
    }

    private func receiveTCP(_ bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        do throws(TCPFrame.Foreign) {
            while let head = try TCPFrame.head(bytes[consumed...]), bytes.count - consumed >= head.length {
                let pdu = [UInt8](bytes[(consumed + TCPFrame.headerLength)..<(consumed + head.length)])
                consumed += head.length
                guard
                    let index = exchanges.firstIndex(where: {
                        $0.transaction == head.transaction && $0.unit == head.unit
                            && $0.request.function.rawValue == pdu[0] & ~FunctionCode.exceptionBit
                    })
                else {
                    counters.foreign += 1
                    continue
                }
                finish(index, exchanges[index].request.result(pdu))
                guard stream != nil else { return bytes.count }
            }
        } catch {
            lost("what answers at \(address) doesn't speak Modbus TCP")
            return bytes.count
        }
        return consumed
    }

    private func receiveRTU() {
        guard dropEcho() else { return }
        var start = 0
        scan: while start < received.count {
            switch RTUFrame.find(received[start...]) {
            case .frame(let length):
                take(received[start..<start + length])
                start += length
            case .none: start += 1
            case .incomplete:
                // What begins here may be noise that looks like the beginning of a frame; ours may stand behind it.
                guard let (place, length) = hidden(after: start) else { break scan }
                take(received[place..<place + length])
                start = place + length
            }
            guard stream != nil, start <= received.count else { return }
        }
        received.removeFirst(min(start, received.count))
        if exchanges.isEmpty, received.count > 2 * RTUFrame.largest { received.removeAll() }
    }

    /// The answer that is waited for, whole and with its check, behind bytes that may yet become another frame.
    private func hidden(after start: Int) -> (Int, Int)? {
        guard let exchange = exchanges.first else { return nil }
        for place in (start + 1)..<max(start + 1, received.count) where received[place] == exchange.unit {
            guard case .frame(let length) = RTUFrame.find(received[place...]) else { continue }
            if fits(received[place..<place + length], exchange) { return (place, length) }
        }
        return nil
    }

    private func fits(_ frame: ArraySlice<UInt8>, _ exchange: Exchange) -> Bool {
        guard frame.first == exchange.unit else { return false }
        let pdu = Array(frame.dropFirst().dropLast(2))
        if case .failure(.malformed) = exchange.request.result(pdu) { return false }
        return true
    }

    private func take(_ frame: ArraySlice<UInt8>) {
        let pdu = frame.dropFirst().dropLast(2)
        guard let unit = frame.first, let exchange = exchanges.first, exchange.timer != .none, fits(frame, exchange)
        else {
            counters.foreign += 1
            heard -= frame.count
            return
        }
        let result = exchange.request.result(Array(pdu))
        if case .failure = result, late.makesDoubtful(exceptionTo: exchange.request, unit: unit) {
            counters.foreign += 1
            heard -= frame.count
            return
        }
        late.answered(exchange.request, unit: unit, until: loop.now + lateness)
        finish(0, result)
    }

    /// Adapters without a switched receiver bring back what they send. False: what has come may be a part of that.
    ///
    /// It is found by a request that can't be an answer to itself, as reads can't; single writes are answered by their echo.
    private func dropEcho() -> Bool {
        guard let exchange = exchanges.first, exchange.timer != .none, !isEchoDropped else { return true }
        let frame = exchange.frame
        if !echoes {
            guard case .failure(.malformed) = exchange.request.result(Array(frame[1..<frame.count - 2])) else {
                return true
            }
        }
        guard received.starts(with: frame) else { return !frame.starts(with: received) }
        echoes = true
        isEchoDropped = true
        heard -= frame.count
        received.removeFirst(frame.count)
        return true
    }
}

extension Request {
    func result(_ pdu: [UInt8]) -> Result<Response, ModbusError> {
        do throws(ModbusError) { return .success(try response(pdu)) } catch { return .failure(error) }
    }
}
