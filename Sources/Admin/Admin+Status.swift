import Broker
import JSON
import Store

extension Admin {
    /// `roost status`. `queued` is what waits for uplinks.
    func status() -> HTTPResponse {
        let routes = routes
        let reports = uplinks.map(\.report)
        return .json { json in
            json.object { json in
                json.member("node", node)
                json.member("version", version)
                json.member("uptime_seconds", age(of: broker.startedAt))
                json.member("connections", broker.connectionCount)
                json.member("sessions", broker.sessions.count)
                json.member("subscriptions", broker.subscriptionCount)
                json.member("retained", broker.retainedCount)
                json.member("twins", twins?.count ?? 0)
                json.member("messages_received", broker.figures.publishesReceived)
                json.member("messages_sent", broker.figures.publishesSent)
                json.member("dropped", broker.figures.dropped + broker.lostBySessions)
                json.object("queued") { json in
                    json.member("messages", routes.reduce(0) { $0 + $1.messages })
                    json.member("bytes", routes.reduce(0) { $0 + $1.bytes })
                    json.member("oldest_seconds", age(ofStoreTime: routes.compactMap(\.oldest).min()))
                }
                json.object("store") { json in
                    json.member("bytes", log.usedBytes)
                    json.member("budget_bytes", log.options.budgetBytes)
                    json.member("memory_bytes", log.meter.bytes)
                    json.member("written_bytes_per_day", disk.bytesPerDay)
                    json.member("evicted_messages", log.evictedMessages)
                    json.member("expired_messages", log.expiredMessages)
                }
                json.object("access") { json in
                    json.member("authentication_failures", broker.figures.authenticationFailures)
                    json.member("denied_publishes", broker.figures.deniedPublishes)
                    json.member("denied_subscriptions", broker.figures.deniedSubscriptions)
                }
                json.array("shared_subscriptions") { json in
                    for group in broker.sharesInOrder { write(group, to: &json) }
                }
                json.array("uplinks") { json in
                    for report in reports {
                        json.object { json in
                            json.member("name", report.name)
                            json.member("state", report.state.rawValue)
                            json.member("url", report.url)
                            json.member("since_seconds", age(of: downSince[report.name] ?? report.since))
                            json.member("error", report.error)
                        }
                    }
                }
                json.array("warnings") { json in
                    for warning in warnings { json.value(warning.text) }
                }
            }
        }
    }

    private func write(_ group: ShareGroup, to json: inout JSONWriter) {
        json.object { json in
            json.member("filter", Self.text(group.filter))
            json.member("members", group.memberCount)
            json.member("connected", group.connectedCount)
            json.member("queued_messages", group.queuedMessages)
            json.member("queued_bytes", group.queuedBytes)
            json.member("inflight", group.inflightCount)
            json.member("lost", group.lostMessages)
        }
    }
}
