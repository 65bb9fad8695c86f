import MQTT
import Testing

@testable import roost

@Suite struct PropertyArgumentsTests {
    @Test func propertiesGoWhereTheyBelong() throws {
        let words = [
            "publish", "content-type", "x", "connect", "session-expiry-interval", "60", "publish", "user-property", "k",
            "v",
            "will", "will-delay-interval", "5", "subscribe", "subscription-identifier", "7",
        ]
        let properties = try PropertyArguments(words)

        #expect(properties.publish == [3, 0, 1, 0x78, 0x26, 0, 1, 0x6B, 0, 1, 0x76])
        #expect(properties.subscriptionIdentifier == 7)
        var will = Will(topic: [], payload: [])
        properties.apply(to: &will)
        #expect(will.delay == 5)
        #expect(will.properties.isEmpty)
    }

    @Test(arguments: [
        ["publish"], ["nothing", "content-type", "x"], ["publish", "content-type"], ["publish", "user-property", "k"],
        ["connect", "content-type", "x"], ["publish", "message-expiry-interval", "soon"],
        ["subscribe", "subscription-identifier", "0"], ["publish", "response-topic", "a/#"],
    ])
    func mistakesAreNamed(words: [String]) {
        #expect(throws: (any Error).self) { try PropertyArguments(words) }
    }
}
