import Store

extension Broker {
    /// Keeps what waits in memory for sessions that end with their connection within `store.memory`: the session for which most
    /// waits loses its oldest (or newest, as it is told), a part of it at once.
    func boundWaiting() {
        let limit = log.options.memoryBytes
        guard waitingMeter.bytes > limit else { return }
        if waitingLimit.begins(at: loop.now) {
            logLine(.warning, "slow subscribers have filled store.memory: the slowest lose messages")
        }
        while waitingMeter.bytes > limit {
            let group = shares.values.max { $0.waitingBytes < $1.waitingBytes }
            let session = sessions.values.max { $0.waitingBytes < $1.waitingBytes }
            if let group, group.waitingBytes > session?.waitingBytes ?? 0 {
                group.loseWaiting()
                continue
            }
            guard let slowest = session, slowest.waitingBytes > 0 else { return }
            let target = slowest.waitingBytes - slowest.waitingBytes / 16
            repeat { slowest.loseWaiting() } while slowest.waitingBytes > target && waitingMeter.bytes > limit
        }
    }
}
