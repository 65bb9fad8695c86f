/// What lies between the socket of a connection that we make and what is said over it.
public struct StreamLayers {
    /// Nil: nothing is encrypted.
    public var tls: TLSClientContext?

    /// The name or address that was asked for: whom the server's certificate has to name.
    public var host: String

    /// Nil: no WebSocket.
    public var webSocket: WebSocketRequest?

    public init(tls: TLSClientContext? = nil, host: String = "", webSocket: WebSocketRequest? = nil) {
        self.tls = tls
        self.host = host
        self.webSocket = webSocket
    }

    public static var none: StreamLayers { StreamLayers() }

    public enum Layer {
        /// What was agreed on: "TLSv1.3, TLS_AES_256_GCM_SHA384".
        case tls(String)
        case webSocket
    }

    /// The stream to speak over.
    ///
    /// - Parameter established: called when a layer has been agreed on with the server, each in its turn.
    public func wrap(
        _ stream: ByteStream, established: ((Layer) -> Void)? = nil
    ) throws(TLSError) -> ByteStream {
        var stream = stream
        if let tls {
            let secure = try TLSStream(client: tls, host: host, over: stream)
            if let established {
                secure.onEstablished = { [unowned secure] in established(.tls(secure.protocolVersion)) }
            }
            stream = secure
        }
        if let webSocket {
            let framed = WebSocketStream(client: webSocket, over: stream)
            if let established { framed.onEstablished = { established(.webSocket) } }
            stream = framed
        }
        return stream
    }
}
