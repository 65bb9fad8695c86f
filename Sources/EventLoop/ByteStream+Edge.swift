extension ByteStream {
    // MARK: - Called by the edge

    /// Bytes have come in. They are the delegate's at once, in place, unless earlier ones are still kept or the stream is
    /// paused.
    public final func edgeDidReceive(_ bytes: UnsafeRawBufferPointer) {
        bytesRead &+= UInt64(bytes.count)
        guard !isClosing else { return }
        if isPaused || !input.isEmpty {
            input.append(bytes)
            deliverInput()
        } else {
            let consumed = handOver(bytes)
            if !isClosing && consumed < bytes.count {
                input.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
            }
        }
    }

    /// The edge takes output again.
    public final func edgeBecameWritable() {
        guard state.contains(.blocked), !state.contains(.closed) else { return }
        state.remove(.blocked)
        transmit()
        guard !state.contains(.blocked), !state.contains(.closed) else { return }
        wantsWritable(false)
        guard output.isEmpty else { return }
        pacer?.holdsOutput = false
        delegate?.streamDidDrain(self)
    }

    /// The peer has closed the stream (nil), or it has failed. Whatever it sent before has been received.
    public final func edgeDidClose(_ error: StreamError?) {
        guard !state.contains(.closed) else { return }
        if error == nil && !state.contains(.blocked) && !output.isEmpty && pacer == nil {
            // A peer that has shut only its own direction may still be reading.
            _ = send(output.bytes)
        }
        let delegate = delegate
        close()
        // It may have failed while the tick's last outputs were written; what the delegate does wants a tick's end.
        loop.tickAgain()
        delegate?.streamDidClose(self, error: error)
    }

    // MARK: - Input

    /// Gives the delegate everything that is kept.
    final func deliverInput() {
        guard !isPaused, !isClosing, !input.isEmpty else { return }
        let consumed = handOver(input.bytes)
        guard !isClosing else { return }
        input.consume(consumed)
        input.settle()
    }

    /// Gives the delegate `bytes` and returns how many it consumed; they are not freed meanwhile.
    final func handOver(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let delegate else {
            close()
            return bytes.count
        }
        state.insert(.delivering)
        let consumed = delegate.stream(self, didReceive: bytes)
        state.remove(.delivering)
        if isClosing { input.removeAll() }
        precondition(consumed >= 0 && consumed <= bytes.count, "consumed more than was received")
        return consumed
    }

    // MARK: - Output

    /// Called by the loop at the tick's end.
    final func flush() {
        state.remove(.touched)
        guard !state.contains(.closed), !state.contains(.blocked) else { return }
        transmit()
        guard let pacer, pacer.holdsOutput, output.isEmpty, !state.contains(.closed) else { return }
        pacer.holdsOutput = false
        delegate?.streamDidDrain(self)
    }

    private func transmit() {
        if !output.isEmpty {
            let count = pacer?.sendable(output.count, from: self) ?? output.count
            guard count > 0 else { return wakeForOutput() }
            switch send(UnsafeRawBufferPointer(rebasing: output.bytes[..<count])) {
            case .failed(let error):
                output.removeAll()
                sendingDidFail(error)
                return
            case .sent(let sent):
                bytesWritten &+= UInt64(sent)
                output.consume(sent)
                pacer?.didSend(sent, from: self)
                if sent < count {
                    if !state.contains(.blocked) {
                        state.insert(.blocked)
                        wantsWritable(true)
                    }
                    return
                }
            }
            guard output.isEmpty else { return wakeForOutput() }
        }
        output.settle()
        if state.contains(.closing) && !state.contains(.shut) {
            state.insert(.shut)
            shutDownSending()
        }
    }

    private func wakeForOutput() { pacer?.wakeForOutput(output.count, of: self) }

    // MARK: - The loop's lists

    /// True when the stream was not yet among the touched.
    final func markTouched() -> Bool {
        guard state.isDisjoint(with: [.touched, .closed]) else { return false }
        state.insert(.touched)
        return true
    }

    final func markForRevisit() -> Bool {
        guard state.isDisjoint(with: [.revisit, .closed]) else { return false }
        state.insert(.revisit)
        return true
    }

    final func visitAgain() {
        state.remove(.revisit)
        guard !state.contains(.closed) else { return }
        deliverInput()
        guard !state.contains(.closed) else { return }
        visitEdgeAgain()
    }
}
