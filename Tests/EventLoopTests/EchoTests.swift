import Testing

@testable import EventLoop

@Suite struct EchoTests {
    @Test(arguments: Place.allCases)
    func bytesComeBack(_ place: Place) throws {
        let connection = try Connection(place, name: "echo\(place.rawValue)")
        defer { connection.finish() }
        connection.farSide.onReceive = { stream, bytes in
            stream.write(bytes)
            return bytes.count
        }

        connection.near.write(Array("hello".utf8))

        #expect(connection.loop.turn { connection.nearSide.received.count >= 5 })
        #expect(connection.nearSide.received == Array("hello".utf8))
        #expect(connection.near.bytesWritten == 5)
        #expect(connection.near.bytesRead == 5)
    }

    @Test func manyWritesInATickAreOneRead() throws {
        let connection = try Connection()
        defer { connection.finish() }

        for _ in 0..<100 { connection.near.write([1, 2, 3]) }

        #expect(connection.loop.turn { connection.farSide.received.count == 300 })
        #expect(connection.farSide.calls == 1)
    }

    @Test(arguments: Place.allCases)
    func peerThatClosesIsHeardOnceAfterItsBytes(_ place: Place) throws {
        let connection = try Connection(place, name: "close\(place.rawValue)")
        defer { connection.finish() }

        connection.near.write([1, 2, 3])
        connection.near.closeAfterFlush(deadline: .seconds(5))

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
        #expect(connection.farSide.received == [1, 2, 3])
        #expect(connection.farSide.error == nil)
        #expect(connection.loop.turn { connection.near.isClosed })
        #expect(connection.nearSide.closes == 0)
    }
}
