import CLinux
import Glibc
import Testing

@testable import EventLoop

@Suite struct DetachingTests {
    @Test func streamGoesOnOnAnotherLoopWithWhatWasNotConsumed() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.farSide.onReceive = { _, bytes in min(bytes.count, 2) }
        connection.near.write([1, 2, 3, 4])
        #expect(connection.loop.turn { connection.farSide.calls == 1 })

        let detached = try #require(connection.far.detach())
        #expect(connection.far.isClosed)
        #expect(connection.far.detach() == nil)
        let other = try EventLoop(index: 1)
        let moved = try SocketNetwork(loop: other).adopt(detached)
        let side = Recorder()
        moved.delegate = side
        connection.near.write([5])
        connection.loop.tick(wait: .zero)

        #expect(other.turn { side.received.count == 3 })
        #expect(side.received == [3, 4, 5])
        #expect(moved.peer == connection.far.peer)
        moved.write([6])
        other.tick(wait: .zero)
        #expect(connection.loop.turn { connection.nearSide.received == [6] })
        #expect(connection.farSide.closes == 0)
        moved.close()
    }

    @Test func detachedStreamThatNobodyAdoptsIsClosed() throws {
        let connection = try Connection()
        defer { connection.finish() }
        var detached = connection.far.detach()
        #expect(detached != nil)
        detached = nil

        #expect(connection.loop.turn { connection.nearSide.closes == 1 })
    }

    @Test func socketpairIsAdopted() throws {
        let loop = try EventLoop()
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        let side = Recorder()
        let stream = try SocketNetwork(loop: loop).adopt(Descriptor(pair[0]), peer: "module")
        stream.delegate = side
        let other = SharedDescriptor(pair[1])

        #expect(write(other.number, "abc", 3) == 3)

        #expect(loop.turn { side.received == Array("abc".utf8) })
        stream.close()
    }
}
