import CLinux
import Glibc

/// A connected TCP or Unix socket.
///
/// A readable stream is read once a tick: the read buffer is the bound that keeps one fast peer from making the others
/// wait, and what is left is reported again (level-triggered). Interest in reading is dropped only when a paused stream is
/// reported readable, interest in writing is taken only while output is stuck; so a stream that flows costs one read and
/// one write a burst and no `epoll_ctl` at all.
final class SocketStream: ByteStream, DescriptorHandler {
    /// A kept part at least this large is not copied in front of the next read; the read goes behind it instead.
    private static let largePart = 4096

    /// The least that such a read asks for.
    private static let leastRead = 16 * 1024

    /// Negative after closing.
    private(set) var descriptor: Int32
    private var watch = Watch.none
    private var interest: Interest = []
    private var sendFailure: StreamError?
    /// Nothing goes over the network any more; what is left to read has come over it before.
    private var isBroken = false

    /// Takes a connected, non-blocking socket, and closes it if it can't be watched.
    init(loop: EventLoop, socket: consuming Descriptor, peer: String) throws(SystemError) {
        descriptor = socket.release()
        super.init(loop: loop, peer: peer)
        do throws(SystemError) {
            try startWatching()
        } catch {
            close()
            throw error
        }
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    override var peerCredentials: PeerCredentials? { PeerCredentials(of: descriptor) }

    // MARK: - Readiness

    func descriptorIsReady(_ readiness: Readiness) {
        if readiness.contains(.writable) || (readiness.contains(.broken) && isBlocked) { edgeBecameWritable() }
        guard !isClosed, readiness != .writable else { return }
        if isPaused {
            readinessWhilePaused(readiness)
        } else if readiness.contains(.broken) {
            isBroken = true
            read()
        } else if let pacer, !pacer.mayRead(by: self) {
            setInterest(interest.subtracting(.read))
        } else {
            read()
        }
    }

    override func pace(by pacer: StreamPacer) {
        super.pace(by: pacer)
        // What lies unsent in the kernel can't be overtaken by what matters more.
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, 128 << 10)
        if let ingress = pacer.ingress { ReceiveWindow(of: ingress)?.widen(descriptor) }
    }

    override func readingDidResume() {
        guard !isClosed else { return }
        if watch == .none {
            watchAgain()
        } else {
            setInterest(interest.union(.read))
        }
    }

    override func wantsWritable(_ wanted: Bool) {
        setInterest(wanted ? interest.union(.write) : interest.subtracting(.write))
    }

    override func visitEdgeAgain() {
        if sendFailure != nil { read() }
    }

    private func readinessWhilePaused(_ readiness: Readiness) {
        if readiness.contains(.broken) {
            // Reported without being asked for, again and again; so nothing is watched until reading resumes.
            loop.unwatch(watch)
            watch = .none
        } else {
            setInterest(interest.subtracting(.read))
        }
    }

    private func startWatching() throws(SystemError) {
        interest = isBlocked ? [.read, .write] : .read
        watch = try loop.watch(descriptor: descriptor, interest, handler: self)
    }

    private func watchAgain() {
        do throws(SystemError) { try startWatching() } catch { edgeDidClose(StreamError(error)) }
    }

    private func setInterest(_ wanted: Interest) {
        guard wanted != interest, watch != .none else { return }
        interest = wanted
        do throws(SystemError) { try loop.change(watch, wanted) } catch { edgeDidClose(StreamError(error)) }
    }

    // MARK: - Reading

    private func read() {
        if input.count < SocketStream.largePart { readShared() } else { readBehindInput() }
        if sendFailure != nil { loop.revisit(self) }
    }

    /// Reads into the loop's buffer, behind a copy of what was kept.
    private func readShared() {
        let shared = loop.readBuffer.bytes
        let kept = input.count
        if kept > 0 { shared.copyMemory(from: input.bytes) }
        guard let base = shared.baseAddress, let count = receive(base + kept, room(shared.count - kept)) else { return }
        bytesRead &+= UInt64(count)
        guard !isClosing else { return }
        let bytes = UnsafeRawBufferPointer(start: base, count: kept + count)
        let consumed = handOver(bytes)
        guard !isClosing else { return }
        if consumed < bytes.count {
            input.replace(with: UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
        } else if kept > 0 {
            input.removeAll()
        }
    }

    /// Reads behind a large part of a packet, where it stays: a packet of a megabyte is copied when its block doubles, not
    /// with every read. The room grows with what has come, so that the beginning of a packet doesn't claim much memory.
    private func readBehindInput() {
        let place = input.reserve(max(SocketStream.leastRead, input.count))
        guard let count = receive(place, room(input.spare)) else { return }
        bytesRead &+= UInt64(count)
        input.commit(count)
        deliverInput()
    }

    /// How much of `space` to read. A stream that has broken is read to its end at once.
    private func room(_ space: Int) -> Int {
        guard let pacer, sendFailure == nil, !isBroken else { return space }
        return pacer.readable(space, by: self)
    }

    /// Reads once. Nil when there is nothing now or the stream has ended.
    private func receive(_ place: UnsafeMutableRawPointer, _ room: Int) -> Int? {
        while true {
            let count = recv(descriptor, place, room, 0)
            if count > 0 {
                pacer?.didRead(count, by: self)
                return count
            }
            if count == 0 {
                edgeDidClose(sendFailure)
                return nil
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                if let sendFailure { edgeDidClose(sendFailure) }
            default: edgeDidClose(StreamError(.last("recv")))
            }
            return nil
        }
    }

    // MARK: - Writing

    override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard sendFailure == nil else { return .sent(bytes.count) }
        while true {
            // MSG_NOSIGNAL: EPIPE instead of SIGPIPE, whatever the process has done about that signal.
            let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .sent(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS, ENOMEM: return .sent(0)
            default: return .failed(StreamError(.last("send")))
            }
        }
    }

    /// The peer is gone, but its last packets may still lie in the socket: they are read first.
    override func sendingDidFail(_ error: StreamError) {
        guard !isPaused, !isClosing else { return edgeDidClose(error) }
        sendFailure = error
        loop.revisit(self)
    }

    // MARK: - Closing

    override func shutDownSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    override func closeEdge() {
        loop.unwatch(watch)
        watch = .none
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    override func detach() -> DetachedStream? {
        precondition(!state.contains(.delivering), "detached inside didReceive")
        guard !isClosing, sendFailure == nil, output.isEmpty else { return nil }
        let detached = DetachedStream(
            Descriptor(descriptor), peer: peer, received: input.withBytes { [UInt8]($0) })
        loop.unwatch(watch)
        watch = .none
        descriptor = -1
        close()
        return detached
    }

    /// Starts with bytes that were read by the stream this one continues.
    func begin(with received: [UInt8]) {
        guard !received.isEmpty else { return }
        input.append(received)
        loop.revisit(self)
    }
}
