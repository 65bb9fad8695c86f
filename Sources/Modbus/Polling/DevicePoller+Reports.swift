import EventLoop
import JSON

extension DevicePoller {
    /// The figures of a connection since the last time they were asked for (lateness), or since the start (the rest), as JSON.
    package func statistics(timestamp: Int64) -> [UInt8] {
        let counters = line.counters
        let lateness = takeLateness()
        var json = JSONWriter()
        json.object { json in
            json.member("connected", line.isConnected)
            for state in [PolledDevice.State.online, .unhealthy, .offline] {
                json.member(state.rawValue, devices.filter { $0.state == state }.count)
            }
            json.member("connections", counters.connections)
            json.member("requests", counters.requests)
            json.member("answers", counters.answers)
            json.member("exceptions", counters.exceptions)
            json.member("timeouts", counters.timeouts)
            json.member("corrupt", counters.corrupt)
            json.member("foreign", counters.foreign)
            json.member("overruns", overruns)
            json.object("lateness_ms") { json in
                json.member("mean", Self.milliseconds(lateness.mean))
                json.member("p99", Self.milliseconds(lateness.percentile(0.99)))
                json.member("max", Self.milliseconds(lateness.longest))
            }
            json.member("timestamp", timestamp)
        }
        return json.bytes
    }

    /// To a hundredth.
    private static func milliseconds(_ time: Duration) -> Double { Double(time.nanoseconds / 10_000) / 100 }

    /// Asks a device what it is (43/14): all that it says, or at least the basic objects.
    func identify(_ device: PolledDevice, _ completion: @escaping (Result<Identification, ModbusError>) -> Void) {
        identify(device, .regular, 0, Identification(), completion)
    }

    private func identify(
        _ device: PolledDevice, _ category: IdentificationCategory, _ object: UInt8, _ known: Identification,
        _ completion: @escaping (Result<Identification, ModbusError>) -> Void
    ) {
        add(
            Task(device: device, request: .identification(category, object: object)) { [weak self] result in
                switch result {
                case .failure(.exception(.illegalDataValue)) where category == .regular:
                    self?.identify(device, .basic, 0, known, completion)
                case .failure(let error): completion(.failure(error))
                case .success(.identification(let part)):
                    var known = known
                    known.objects.merge(part.objects) { $1 }
                    // Only upwards: a device that names the same object again would keep us for ever.
                    guard let next = part.next, next > object else { return completion(.success(known)) }
                    self?.identify(device, category, next, known, completion)
                case .success: completion(.failure(.malformed("no identification")))
                }
            })
    }
}
