import EventLoop

/// What a stream knows of its connection. Streams hold their delegate weakly, and whatever is ever held weakly pays for it at
/// every retain and release; so that is this small object, once a read, and not the connection, at every message.
final class ConnectionInput: ByteStreamDelegate {
    private unowned let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int { connection.receive(bytes) }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        if case .protocolViolation(let text)? = error { connection.noteViolation(text) }
        connection.end()
    }

    func streamDidDrain(_ stream: ByteStream) { connection.didDrain() }
}
