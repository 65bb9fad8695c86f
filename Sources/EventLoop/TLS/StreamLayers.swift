/// What lies between the socket of a connection that we make and what is said over it.
public struct StreamLayers {
    /// Nil: nothing is encrypted.
    public var tls: TLSClientContext?

    /// The name or address that was asked for: whom the server's certificate has to name.
    public var host: String

    public init(tls: TLSClientContext? = nil, host: String = "") {
        self.tls = tls
        self.host = host
    }

    public static var none: StreamLayers { StreamLayers() }

    /// The stream to speak over.
    public func wrap(_ stream: ByteStream) throws(TLSError) -> ByteStream {
        guard let tls else { return stream }
        return try TLSStream(client: tls, host: host, over: stream)
    }
}
