import JSON

/// What an uplink can be told.
enum UplinkWord: String, CaseIterable {
    case pause, resume, flush
}

extension Admin {
    /// `roost uplink`.
    func uplinkList() -> HTTPResponse {
        .json { json in
            json.array { json in
                for report in uplinks.map(\.report) {
                    json.object { json in
                        json.member("name", report.name)
                        json.member("state", report.state.rawValue)
                        json.member("url", report.url)
                        json.member("error", report.error)
                        let roundTrip = report.roundTripMilliseconds
                        json.member("round_trip_ms", roundTrip > 0 ? (roundTrip * 1000).rounded() / 1000 : nil)
                        json.member("sent_messages", report.sentMessages)
                        json.member("sent_bytes", report.sentBytes)
                        json.member("acknowledged_messages", report.acknowledgedMessages)
                        json.member("reconnects", report.reconnects)
                    }
                }
            }
        }
    }

    func unknown(uplink name: String) -> HTTPResponse {
        let names = uplinks.map(\.report.name).joined(separator: ", ")
        return .failure(.notFound, "no uplink \(name). \(names.isEmpty ? "None is configured" : "There is: \(names)")")
    }

    func tell(_ name: String, _ word: UplinkWord) -> HTTPResponse {
        guard let uplink = uplinks.first(where: { $0.report.name == name }) else {
            return unknown(uplink: name)
        }
        switch word {
        case .pause: uplink.pause()
        case .resume: uplink.resume()
        case .flush: uplink.flush()
        }
        uplinkStateChanged()
        actions.log(.notice, "uplink \(name): \(word.rawValue), by an administrator")
        return .done
    }
}
