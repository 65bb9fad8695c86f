import EventLoop

/// Serves one routing table over any number of listeners, on one loop. Everything is bounded: connections, heads, bodies,
/// unsent output, and the time that a connection may do nothing.
public final class HTTPServer {
    /// Beyond these, connections are told to come back later.
    public static let maximumConnections = 64

    let loop: EventLoop
    let router: HTTPRouter
    let parserLimits: HTTPParser.Limits
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var listeners: [any Listener] = []

    public init(loop: EventLoop, router: HTTPRouter) {
        self.loop = loop
        self.router = router
        parserLimits = HTTPParser.Limits()
    }

    public var connectionCount: Int { connections.count }

    /// Listens; returns where it really does.
    @discardableResult
    public func listen(_ endpoint: Endpoint, on network: any Network, access: HTTPAccess) throws(NetworkError)
        -> Endpoint
    {
        let listener = try network.listen(endpoint, options: ListenOptions(mode: 0o660, backlog: 128)) {
            [unowned self] stream in accept(stream, access)
        }
        listeners.append(listener)
        return listener.endpoint
    }

    /// Takes no more connections; those that are idle close, the others after their answer.
    public func close() {
        for listener in listeners { listener.close() }
        listeners = []
        for connection in Array(connections.values) { connection.finish() }
    }

    func accept(_ stream: ByteStream, _ access: HTTPAccess) {
        if let reason = access.refusal(of: stream) {
            refuse(stream, .failure(.forbidden, reason))
        } else if connections.count >= Self.maximumConnections {
            refuse(stream, HTTPResponse.failure(.serviceUnavailable, "too many connections").with("Retry-After", "1"))
        } else {
            let connection = HTTPConnection(stream, server: self, access: access)
            connections[ObjectIdentifier(connection)] = connection
        }
    }

    private func refuse(_ stream: ByteStream, _ response: HTTPResponse) {
        stream.write(response.head(closes: true, date: date))
        stream.write(response.body)
        stream.closeAfterFlush()
    }

    func forget(_ connection: HTTPConnection) { connections[ObjectIdentifier(connection)] = nil }

    /// For the Date field: none while nobody knows the date. 2025-01-01.
    var date: Int64? {
        let seconds = loop.clock.wallMilliseconds / 1000
        return seconds >= 1_735_689_600 ? seconds : nil
    }

    /// The answer to a request: now or later.
    func serve(_ request: HTTPRequest, _ access: HTTPAccess, _ answer: @escaping (HTTPResponse) -> Void) {
        let verdict = access.verdict(on: request)
        if case .refused(let reason) = verdict { return answer(.failure(.forbidden, reason)) }
        let isTrusted = verdict == .trusted
        let found = router.match(request.method, request.target.path)
        if case .found(let handler, let name, let isOpen) = found, isTrusted || isOpen {
            return handler(HTTPCall(request: request, name: name, isTrusted: isTrusted, answer: answer))
        }
        guard isTrusted else {
            let refusal = HTTPResponse.failure(.unauthorized, "a token is needed (Authorization: Bearer TOKEN)")
            return answer(refusal.with("WWW-Authenticate", "Bearer realm=\"roostd\""))
        }
        guard case .wrongMethod(let allowed) = found else {
            return answer(.failure(.notFound, "there is no /\(request.target.path.joined(separator: "/"))"))
        }
        let words = allowed.map(\.rawValue).joined(separator: ", ")
        answer(HTTPResponse.failure(.methodNotAllowed, "use \(words)").with("Allow", words))
    }
}
