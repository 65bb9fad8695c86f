extension VirtualClock {
    /// Moves on by `duration`, from one deadline to the next, turning every loop until it has nothing left to do at each:
    /// what two seconds of the real world would have done, in order. The loops share this clock and never wait.
    public func advance(by duration: Duration, turning loops: EventLoop...) {
        advance(by: duration, turning: loops)
    }

    public func advance(by duration: Duration, turning loops: [EventLoop]) {
        let end = now + duration
        while true {
            while loops.contains(where: \.hasWork) {
                for loop in loops { loop.tick(wait: .zero) }
            }
            guard let next = loops.compactMap(\.nextDeadline).min(), next <= end else { break }
            advance(to: next)
        }
        advance(to: end)
        for loop in loops { loop.tick(wait: .zero) }
    }
}
