import Configuration

extension NetworkEndpoint {
    init(_ endpoint: Endpoint) {
        switch endpoint {
        case .network(let host, let port): self = .tcp(host: host, port: port)
        case .unix(let path): self = .unix(path: path)
        }
    }
}
