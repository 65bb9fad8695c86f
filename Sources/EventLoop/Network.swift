/// Where streams come from. `SocketNetwork` is the machine's; `MemoryNetwork` has neither sockets nor threads.
public protocol Network: AnyObject {
    /// Listens on `endpoint` (port 0: any free one) and calls `accept` on the loop for every peer that connects. The
    /// stream's delegate is set inside `accept`; a stream without one is closed.
    func listen(
        _ endpoint: Endpoint, options: ListenOptions, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> any Listener

    /// Connects to `endpoint`, trying each address of its host in turn, all within `timeout`. `completion` is called once,
    /// in a later tick, unless the attempt is cancelled; the stream's delegate is set inside it.
    @discardableResult
    func connect(
        to endpoint: Endpoint, timeout: Duration,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting

    /// As above, for a stream that `pacer` will hold to its rates: what a thin rate asks of a connection has to be known
    /// before it is made.
    func connect(
        to endpoint: Endpoint, timeout: Duration, pacer: StreamPacer?,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting
}

extension Network {
    public func connect(
        to endpoint: Endpoint, timeout: Duration, pacer: StreamPacer?,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting {
        connect(to: endpoint, timeout: timeout, completion)
    }

    public func listen(
        _ endpoint: Endpoint, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> any Listener {
        try listen(endpoint, options: ListenOptions(), accept: accept)
    }
}

public struct ListenOptions: Sendable {
    /// The permissions of a Unix socket's file.
    public var mode: UInt32

    /// Connections the kernel holds for us until they are accepted.
    public var backlog: Int32

    public init(mode: UInt32 = 0o660, backlog: Int32 = 4096) {
        self.mode = mode
        self.backlog = backlog
    }
}

/// A place that accepts connections until it is closed.
public protocol Listener: AnyObject {
    /// Where it really listens: port 0 has become the port that was free.
    var endpoint: Endpoint { get }

    /// Connections that could not be accepted for want of descriptors or memory, each wait counted once.
    var acceptFailures: UInt64 { get }

    /// Accepts no more. Streams accepted before live on.
    func close()
}

/// An attempt to connect.
public protocol Connecting: AnyObject {
    /// Gives up; the completion is not called. Harmless after it has been.
    func cancel()
}
