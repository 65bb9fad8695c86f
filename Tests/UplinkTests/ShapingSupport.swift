import EventLoop
import MQTT
import Store

@testable import Uplink

extension World {
    /// Lets time pass from one deadline to the next, and so exactly.
    func run(_ duration: Duration) {
        let end = clock.now + duration
        while true {
            repeat {
                loop.tick(wait: .zero)
                engine.step()
            } while loop.hasWork || !engine.jobs.isEmpty
            guard let next = loop.nextDeadline, next <= end else { break }
            clock.advance(to: next)
        }
        clock.advance(to: end)
        loop.tick(wait: .zero)
    }

    /// Bytes that the upstream has received on its present connection.
    var wireBytes: Int { Int(upstream.stream?.bytesRead ?? 0) }

    /// Messages that compress about as well as readings do, about 200 bytes each.
    func publishReadings(_ count: Int, route: Int = 0, seed: UInt64 = 1) {
        var numbers = SplitMix64(state: seed)
        for number in 0..<count {
            let value = Double(numbers.next() % 100_000) / 1000
            let noise = String(numbers.next(), radix: 36)
            publish(
                "{\"device\":\"pump-\(number % 20)\",\"value\":\(value),\"unit\":\"bar\",\"quality\":\"good\",\"id\":\"\(noise)\"}",
                topic: "plant/line-\(number % 5)/pump-\(number % 20)/pressure", route: route)
        }
    }

    /// Messages that don't compress at all.
    func publishNoise(_ count: Int, bytes: Int, route: Int = 0, seed: UInt64 = 1) {
        var numbers = SplitMix64(state: seed)
        for _ in 0..<count {
            var text = ""
            while text.utf8.count < bytes { text += String(numbers.next(), radix: 36) }
            publish(String(text.prefix(bytes)), route: route)
        }
    }
}
