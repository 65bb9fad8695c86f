import EventLoop
import Store
import Testing

@testable import Uplink

@Suite struct FairShareTests {
    /// Serves packets of these sizes, one a route, until so many bytes have gone.
    private func serve(
        _ share: inout FairShare, sizes: [Int], bytes: Int, due: [Bool]? = nil, anew: Bool = false
    ) -> [Int] {
        var sent = sizes.map { _ in 0 }
        share.setDue(due ?? sizes.map { _ in true })
        while sent.reduce(0, +) < bytes, let next = share.next({ _ in true }) {
            share.charge(next, bytes: sizes[next])
            sent[next] += sizes[next]
            // As after each acknowledgement, when one place has become free.
            if anew { share.setDue(due ?? sizes.map { _ in true }) }
        }
        return sent
    }

    @Test(
        arguments: [[1000, 1000, 1000, 1000], [100, 8000, 300, 262_144], [262_144, 100, 262_144, 100]], [false, true])
    func classesShareByWeightInBytes(sizes: [Int], anew: Bool) {
        var share = FairShare([.critical, .high, .normal, .bulk])
        let total = 290_000_000
        let sent = serve(&share, sizes: sizes, bytes: total, anew: anew)

        for (bytes, weight) in zip(sent, [16, 8, 4, 1]) {
            #expect(abs(bytes - total / 29 * weight) <= 2 * 262_144)
        }
    }

    @Test func routesOfAClassShareEquallyHoweverManyThereAre() {
        var share = FairShare([.normal, .normal, .normal, .bulk])
        let sent = serve(&share, sizes: [100, 5000, 70_000, 262_144], bytes: 50_000_000)

        #expect(sent[..<3].allSatisfy { abs($0 - 13_333_333) < 200_000 })
        #expect(abs(sent[3] - 10_000_000) <= 262_144)
    }

    @Test func whoSpeaksSeldomIsFirst() {
        var share = FairShare([.bulk, .normal, .critical])
        _ = serve(&share, sizes: [262_144, 65_536, 0], bytes: 100_000_000, due: [true, true, false])

        share.setDue([true, true, true])
        for _ in 0..<50 {
            #expect(share.next { _ in true } == 2)
            share.charge(2, bytes: 200)
        }
    }

    @Test func silenceSavesNothingUp() {
        var share = FairShare([.normal, .normal])
        _ = serve(&share, sizes: [1000, 1000], bytes: 10_000_000, due: [true, false])
        let sent = serve(&share, sizes: [1000, 1000], bytes: 1_000_000)

        #expect(abs(sent[0] - sent[1]) <= 2000)
    }

    @Test func whoMayNotIsPassedOver() {
        var share = FairShare([.critical, .bulk])
        share.setDue([true, true])

        #expect(share.next { $0 == 1 } == 1)
        #expect(share.next { _ in false } == nil)
        share.rest(0)
        #expect(share.next { _ in true } == 1)
    }
}

@Suite struct FlightWindowTests {
    @Test(arguments: [(1, 0), (2, 1), (3, 1), (5, 1), (10, 2), (20, 4), (50, 10), (65_535, 10)])
    func placesAreKeptForTheHighestClass(receiveMaximum: Int, reserve: Int) {
        #expect(FlightWindow.reserve(of: receiveMaximum) == reserve)
    }

    @Test func itDoublesWithEveryRoundTrip() {
        var window = FlightWindow()
        var rounds: [Int] = []
        for _ in 0..<4 {
            for _ in 0..<window.publishes { window.acknowledged(1000, rate: nil, roundTrip: nil) }
            rounds.append(window.publishes)
        }

        #expect(rounds == [20, 40, 80, 160])
        window.reset()
        #expect(window.bytes == FlightWindow.initialBytes)
    }

    @Test(arguments: [(8000.0, 100, 16 << 10), (125_000, 100, 56_250), (12_500_000, 40, 4_125_000)])
    func itStopsAtWhatKeepsTheLinkBusy(rate: Double, milliseconds: Int, bytes: Int) {
        var window = FlightWindow()
        for _ in 0..<1000 {
            window.acknowledged(16_384, rate: rate, roundTrip: .milliseconds(milliseconds))
        }

        #expect(window.bytes == bytes)
    }
}
