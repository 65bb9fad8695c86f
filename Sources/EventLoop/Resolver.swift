import CLinux
import Glibc

/// Host names to addresses by getaddrinfo, which blocks for as long as a dead name server makes it; so each look-up has a
/// thread, and those who ask for the same name meanwhile share it. Answers come on the loop.
final class Resolver {
    /// Threads at one time; further names wait.
    private static let threads = 4

    private struct Question: Hashable, Sendable {
        var host: String
        var port: UInt16
    }

    private struct Answer: Sendable {
        var question: Question
        var result: Result<[SocketAddress], NetworkError>
    }

    typealias Completion = (Result<[SocketAddress], NetworkError>) -> Void

    private let loop: EventLoop
    private var mailbox: Mailbox<Answer>?
    private var asked: [Question: [Completion]] = [:]
    private var waiting: [Question] = []
    private var running = 0

    init(loop: EventLoop) {
        self.loop = loop
    }

    func resolve(host: String, port: UInt16, _ completion: @escaping Completion) {
        let question = Question(host: host, port: port)
        asked[question, default: []].append(completion)
        guard asked[question]?.count == 1 else { return }
        waiting.append(question)
        startNext()
    }

    private func startNext() {
        guard running < Resolver.threads, !waiting.isEmpty else { return }
        let question = waiting.removeFirst()
        let mailbox = openMailbox()
        running += 1
        let started = startThread {
            mailbox.post(Answer(question: question, result: Resolver.lookUp(host: question.host, port: question.port)))
        }
        if !started {
            let reason = "no thread for the look-up"
            mailbox.post(
                Answer(question: question, result: .failure(.notResolved(host: question.host, reason: reason))))
        }
    }

    private func openMailbox() -> Mailbox<Answer> {
        if let mailbox { return mailbox }
        let mailbox = Mailbox<Answer>(loop: loop) { [weak self] in self?.answer($0) }
        self.mailbox = mailbox
        return mailbox
    }

    private func answer(_ answer: Answer) {
        running -= 1
        startNext()
        for completion in asked.removeValue(forKey: answer.question) ?? [] { completion(answer.result) }
    }

    /// Asks the system's resolver and waits for it, on whatever thread this is called.
    static func lookUp(host: String, port: UInt16) -> Result<[SocketAddress], NetworkError> {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            return .failure(.notResolved(host: host, reason: String(cString: gai_strerror(result))))
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                addresses.append(SocketAddress(address, length: entry.pointee.ai_addrlen))
            }
            next = entry.pointee.ai_next
        }
        return .success(addresses)
    }
}
