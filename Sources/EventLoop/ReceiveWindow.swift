import CLinux
import Glibc

/// How much the kernel takes in on a connection whose ingress has a rate. What it has taken in, the network has carried
/// already, so the rate is only as smooth as this is small.
///
/// It must be small before the connection is made. A peer that was once offered much makes its segments as large as half of
/// that and waits until a whole one fits; the window then opens in jumps, and where they are large the peer's timers decide the
/// rate: 32 KiB set afterwards let 64 KB jumps through on loopback, which at 64 kbit/s are 8 s of the rate each.
struct ReceiveWindow {
    private let bytesPerSecond: Double
    private let bytes: Int

    /// What the kernel begins with; it grows by itself from there.
    private static let usual = 128 << 10
    /// A frame, with which a slow rate still flows.
    private static let least = 1536
    /// Of the rate: 1.5 % of what passes in 10 s.
    private static let seconds = 0.15

    /// Nil: the rate is so high that the kernel's own choice is no matter.
    init?(of ingress: TokenBucket) {
        bytesPerSecond = ingress.bytesPerSecond
        bytes = max(Self.least, Int(bytesPerSecond * Self.seconds))
        guard bytes < Self.usual else { return nil }
    }

    /// Before `connect`.
    func prepare(_ socket: Int32) { set(bytes, socket) }

    /// Once connected: where the way is long, twice what is under way at the rate must fit, or the window would be the rate.
    func widen(_ socket: Int32) {
        guard let roundTrip = Self.roundTripSeconds(socket) else { return }
        let needed = Int(bytesPerSecond * roundTrip * 2)
        if needed > bytes { set(min(needed, Self.usual), socket) }
    }

    private func set(_ bytes: Int, _ socket: Int32) {
        setOption(socket, SOL_SOCKET, SO_RCVBUF, Int32(clamping: bytes))
    }

    private static func roundTripSeconds(_ socket: Int32) -> Double? {
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return nil }
        return Double(info.tcpi_rtt) / 1_000_000
    }
}
