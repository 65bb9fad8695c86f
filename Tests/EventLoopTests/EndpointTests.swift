import Testing

@testable import EventLoop

@Suite struct EndpointTests {
    @Test(
        arguments: [
            ("localhost:1883", .tcp(host: "localhost", port: 1883), "localhost:1883"),
            ("127.0.0.1:0", .tcp(host: "127.0.0.1", port: 0), "127.0.0.1:0"),
            ("[::1]:1883", .tcp(host: "::1", port: 1883), "[::1]:1883"),
            ("[::]:8883", .tcp(host: "::", port: 8883), "[::]:8883"),
            (":1883", .tcp(host: "0.0.0.0", port: 1883), "0.0.0.0:1883"),
            ("unix:/run/roost/mqtt.sock", .unix(path: "/run/roost/mqtt.sock"), "unix:/run/roost/mqtt.sock"),
        ] as [(String, Endpoint, String)])
    func reads(_ text: String, _ endpoint: Endpoint, _ description: String) {
        #expect(Endpoint(parsing: text) == endpoint)
        #expect(endpoint.description == description)
    }

    @Test(arguments: [
        "", "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:+1", "::1:1883", "[::1]", "[x]:1",
        "unix:", "a b:1", "host:1x",
    ])
    func refuses(_ text: String) {
        #expect(Endpoint(parsing: text) == nil)
    }
}
