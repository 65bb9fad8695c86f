import EventLoop
import Testing

@testable import roost

@Suite struct AddressTests {
    @Test(
        arguments: [
            ("mqtt://broker", "broker:1883", nil, nil, nil),
            ("mqtt://broker:1884/plant/7", "broker:1884", nil, nil, "plant/7"),
            ("MQTT://u:p%40ss@10.0.0.1:1/a%20b", "10.0.0.1:1", "u", "p@ss", "a b"),
            ("mqtt://u@[::1]", "[::1]:1883", "u", nil, nil),
            ("mqtt://[::1]:99/", "[::1]:99", nil, nil, nil),
            ("unix:/run/mqtt.sock", "unix:/run/mqtt.sock", nil, nil, nil),
            ("mqtts://broker", "broker:8883", nil, nil, nil),
            ("unix:///run/mqtt.sock", "unix:/run/mqtt.sock", nil, nil, nil),
        ] as [(String, String, String?, String?, String?)])
    func urlsAreTakenApart(
        url: String, endpoint: String, username: String?, password: String?, topic: String?
    ) throws {
        let address = try MQTTAddress(url: url)

        #expect(address.endpoint.description == endpoint)
        #expect(address.username == username)
        #expect(address.password == password)
        #expect(address.topic == topic)
    }

    @Test(arguments: [
        "broker", "http://broker", "mqtt://", "mqtt://broker:99999", "ws://", "ws://broker/a b", "wss://broker/#",
        "unix:relative",
    ])
    func whatIsNoAddressIsAUsageError(url: String) {
        let failure = #expect(throws: Failure.self) { try MQTTAddress(url: url) }
        #expect(failure?.code == .usage)
    }

    @Test(
        arguments: [
            ("ws://broker", "broker:80", "/mqtt"), ("wss://u:p@broker/a/b?c=d", "broker:443", "/a/b?c=d"),
            ("WS://[::1]:8083/", "[::1]:8083", "/"), ("ws://broker?a=b", "broker:80", "/mqtt?a=b"),
        ] as [(String, String, String)])
    func webSocketURLsHaveAPathInPlaceOfATopic(url: String, endpoint: String, path: String) throws {
        let address = try MQTTAddress(url: url)

        #expect(address.endpoint.description == endpoint)
        #expect(address.webSocket?.path == path)
        #expect(address.usesTLS == url.hasPrefix("wss"))
        #expect(address.topic == nil)
    }

    @Test func pathSegmentsAreEncoded() {
        #expect("cloud/a b#ü".percentEncoded == "cloud%2Fa%20b%23%C3%BC")
        #expect("cloud%2Fa%20b%".percentDecoded == "cloud/a b%")
    }
}
