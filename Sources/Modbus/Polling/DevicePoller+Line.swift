import EventLoop

extension DevicePoller: LineDelegate {
    package func lineDidConnect(_ line: Line) {
        tell(nil)
        for device in devices {
            for block in device.blocks {
                block.notBefore = loop.now
                if block.isMissed { refresh(block) }
            }
        }
    }

    package func line(_ line: Line, didClose reason: String) {
        tell(reason)
        failTasks(.notConnected(reason))
        for block in queue {
            block.isQueued = false
            giveUp(block)
        }
        queue = []
        for device in devices {
            device.problem = reason
            // The next connection begins without an opinion.
            device.isSilent = false
            device.doubts = 0
            device.probes = 0
            loop.cancel(device.probeTimer)
            for block in device.blocks { block.silences = 0 }
            tellBad(device, "not connected: \(reason)")
            tellState(of: device)
        }
    }

    package func lineIsFree(_ line: Line) { serve() }

    private func tell(_ problem: String?) {
        guard wasTold != .some(problem) else { return }
        wasTold = .some(problem)
        delegate?.poller(self, connectionIs: problem)
    }
}
