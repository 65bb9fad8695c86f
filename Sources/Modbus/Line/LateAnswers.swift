import EventLoop

/// Questions on a line without transaction numbers (RTU) whose answers did not come in time, and may come yet. An answer of the
/// same unit, function and length could be the late one's: so a question that such an answer would fit waits until it has come,
/// or will come no more, or another answer has shown that the unit is past it: devices and gateways answer in order. The same
/// question again may go on being asked, since any of its answers is an answer to it, but not while another one waits.
struct LateAnswers {
    fileprivate struct Entry {
        var unit: UInt8
        var function: UInt8
        /// Of the response's data; nil: of any length.
        var length: Int?
        var pdu: [UInt8]
        var until: Instant
        /// Another question waits for this answer.
        var isWaitedFor = false
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter until: when an answer is no longer to be expected.
    mutating func add(_ request: Request, unit: UInt8, until: Instant) {
        entries.append(
            Entry(
                unit: unit, function: request.function.rawValue, length: request.fixedLength, pdu: request.pdu,
                until: until))
    }

    /// When this request may be sent at the latest; nil: now.
    ///
    /// - Parameter isRetry: it is the question itself once more, before anything else is asked.
    mutating func hold(_ request: Request, unit: UInt8, isRetry: Bool = false, _ now: Instant) -> Instant? {
        guard !entries.isEmpty else { return nil }
        entries.removeAll { $0.until <= now }
        let pdu = request.pdu
        var held: Instant?
        for index in entries.indices where entries[index].unit == unit && entries[index].fits(request) {
            if entries[index].pdu == pdu {
                guard entries[index].isWaitedFor, !isRetry else { continue }
            } else {
                entries[index].isWaitedFor = true
            }
            held = max(held ?? now, entries[index].until)
        }
        return held
    }

    /// Whether an exception to this request could be one to an earlier, other one.
    func makesDoubtful(exceptionTo request: Request, unit: UInt8) -> Bool {
        guard !entries.isEmpty else { return false }
        let pdu = request.pdu
        return entries.contains {
            $0.unit == unit && $0.function == request.function.rawValue && $0.pdu != pdu
        }
    }

    /// The answer to a question was taken.
    ///
    /// - Parameter until: when this question's own answer is no longer to be expected, if it was an earlier one's.
    mutating func answered(_ request: Request, unit: UInt8, until: Instant) {
        guard !entries.isEmpty else { return }
        var isDoubtful = false
        for index in entries.indices where entries[index].unit == unit && entries[index].fits(request) {
            isDoubtful = true
            entries[index].until = max(entries[index].until, until)
        }
        if !isDoubtful { entries.removeAll { $0.unit == unit } }
    }
}

extension LateAnswers.Entry {
    /// An answer to it would pass for one to `request`. Those to writes name the place, and pass for no other's.
    fileprivate func fits(_ request: Request) -> Bool {
        guard function == request.function.rawValue else { return false }
        guard request.answerIsAnonymous else { return pdu == request.pdu }
        return length == nil || length == request.fixedLength
    }
}

extension Request {
    /// The response PDU's length, where the request settles it.
    var fixedLength: Int? {
        switch self {
        case .read, .readWrite: 2 + dataBytes
        case .writeCoil, .writeRegister, .writeCoils, .writeRegisters: 5
        case .maskWrite: 7
        case .identification: nil
        }
    }

    /// The answer doesn't say what it is an answer to.
    fileprivate var answerIsAnonymous: Bool {
        switch self {
        case .read, .readWrite, .identification: true
        default: false
        }
    }
}
