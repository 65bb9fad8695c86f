import Broker
import EventLoop
import Store
import Uplink

extension Admin {
    /// The numbers of `$SYS` and of `/status`, for Prometheus.
    func metrics() -> HTTPResponse {
        var text = PrometheusText()
        text.add(
            "roost_build_info", .gauge, "What runs here; always 1.",
            [.init(1, ("version", version), ("node", node))])
        text.add("roost_uptime_seconds", .gauge, "Seconds since the start.", age(of: broker.startedAt))
        text.add("roost_warnings", .gauge, "Lines under warnings in roost status.", warnings.count)
        addTraffic(to: &text)
        addSessions(to: &text)
        addStore(to: &text)
        addRoutes(to: &text)
        addUplinks(to: &text)
        addModules(to: &text)
        if let ingest { addIngest(ingest, to: &text) }
        if let twins { addTwins(twins, to: &text) }
        return HTTPResponse(.ok, contentType: PrometheusText.contentType, body: Array(text.text.utf8))
    }

    private func addTraffic(to text: inout PrometheusText) {
        let figures = broker.figures
        text.add("roost_connections", .gauge, "Network connections of clients.", broker.connectionCount)
        text.add("roost_connections_maximum", .gauge, "Most connections at once.", figures.maximumConnections)
        text.add(
            "roost_connections_accepted_total", .counter, "Network connections accepted.", figures.connectionsAccepted)
        text.add("roost_connects_accepted_total", .counter, "CONNECT packets accepted.", figures.connectsAccepted)
        text.add(
            "roost_connections_failed_total", .counter, "Connections ended for what the client sent.",
            figures.connectionsFailed)
        text.add(
            "roost_authentication_failures_total", .counter,
            "CONNECT packets of clients that could not show who they are, or may not come in.",
            figures.authenticationFailures)
        text.add(
            "roost_publishes_denied_total", .counter,
            "PUBLISH packets and Wills of clients without the right to the topic.",
            figures.deniedPublishes)
        text.add(
            "roost_subscriptions_denied_total", .counter,
            "Subscriptions refused, since the client may receive nothing that they match.", figures.deniedSubscriptions)
        text.add(
            "roost_messages_withheld_total", .counter,
            "Messages that had waited for a client which may not receive them any more.", figures.withheld)
        text.add(
            "roost_connections_over_rate_total", .counter, "Connections closed for limits.connect_rate.",
            figures.connectionsOverRate)
        text.add(
            "roost_publishes_over_rate_total", .counter, "PUBLISH packets that had to wait for limits.publish_rate.",
            figures.publishesOverRate)
        text.add("roost_messages_received_total", .counter, "PUBLISH packets received.", figures.publishesReceived)
        text.add("roost_messages_sent_total", .counter, "PUBLISH packets sent to clients.", figures.publishesSent)
        text.add(
            "roost_packets_received_total", .counter, "MQTT packets of all types received.", figures.messagesReceived)
        text.add("roost_packets_sent_total", .counter, "MQTT packets of all types sent.", figures.messagesSent)
        text.add("roost_bytes_received_total", .counter, "Bytes received from clients.", figures.bytesReceived)
        text.add("roost_bytes_sent_total", .counter, "Bytes sent to clients.", figures.bytesSent)
        text.add(
            "roost_messages_dropped_total", .counter,
            "Messages that a client will not get: no room for QoS 0, a session's limit, a store that fails.",
            figures.dropped + broker.lostBySessions)
    }

    private func addSessions(to text: inout PrometheusText) {
        let sessions = broker.sessions.values
        text.add("roost_sessions", .gauge, "Sessions, connected or kept.", sessions.count)
        text.add("roost_subscriptions", .gauge, "Subscriptions.", broker.subscriptionCount)
        text.add("roost_retained_messages", .gauge, "Retained messages.", broker.retainedCount)
        text.add("roost_retained_bytes", .gauge, "Bytes of retained messages.", broker.retainedBytes)
        text.add(
            "roost_session_queued_messages", .gauge, "Messages that wait for clients.",
            sessions.reduce(0) { $0 + $1.queuedMessages })
        text.add(
            "roost_session_queued_bytes", .gauge, "Bytes that wait for clients.",
            sessions.reduce(0) { $0 + $1.queuedBytes })
        text.add(
            "roost_session_lost_messages_total", .counter,
            "Messages that sessions and shared subscriptions lost to their limits, or to eviction.",
            broker.lostBySessions)
        let shares = broker.shares.values
        text.add(
            "roost_shared_subscriptions", .gauge, "Shared subscriptions, each with its members.", shares.count)
        text.add(
            "roost_shared_queued_messages", .gauge,
            "Messages that wait for a member of a shared subscription, or for its acknowledgement.",
            shares.reduce(0) { $0 + $1.queuedMessages })
        text.add(
            "roost_shared_queued_bytes", .gauge, "Their bytes.", shares.reduce(0) { $0 + $1.queuedBytes })
    }

    private func addStore(to text: inout PrometheusText) {
        text.add("roost_store_bytes", .gauge, "Bytes in use on disk.", log.usedBytes)
        text.add("roost_store_budget_bytes", .gauge, "store.budget.", log.options.budgetBytes)
        text.add("roost_store_memory_bytes", .gauge, "Bytes of messages in memory.", log.meter.bytes)
        text.add("roost_store_memory_limit_bytes", .gauge, "store.memory.", log.options.memoryBytes)
        text.add(
            "roost_session_memory_bytes", .gauge,
            "Bytes of messages in memory for slow clients whose sessions end with their connections.",
            broker.waitingMeter.bytes)
        text.add("roost_store_failing", .gauge, "1 while the store can't write.", log.failure == nil ? 0 : 1)
        text.add(
            "roost_store_refusing", .gauge, "1 while messages that must be kept are refused.", log.isRefusing ? 1 : 0)
        text.add("roost_store_commits_total", .counter, "Groups handed to the writer.", log.submittedGroups)
        text.add(
            "roost_store_submitted_bytes_total", .counter, "Bytes of messages handed to the writer, uncompressed.",
            log.submittedBytes)
        text.add("roost_store_evicted_messages_total", .counter, "Messages evicted for a budget.", log.evictedMessages)
        text.add(
            "roost_store_withdrawn_messages_total", .counter,
            "Messages that were taken, and then refused since the disk failed.", log.withdrawnMessages)
        text.add(
            "roost_store_unwritten_acknowledgements_total", .counter,
            "Messages acknowledged before they were on disk (store.durability = relaxed).", log.acknowledgedInMemory)
        text.add("roost_store_expired_messages_total", .counter, "Messages that were too old.", log.expiredMessages)
        text.add(
            "roost_store_corrupt_messages_total", .counter, "Messages lost to damage on the disk.", log.corruptMessages)
        text.add(
            "roost_store_salvages_total", .counter,
            "Damaged databases replaced by what could be saved of them.", log.salvages)
        text.add(
            "roost_disk_written_bytes_total", .counter, "Bytes this process has had written to storage.",
            disk.writtenBytes)
        text.add("roost_clock_set", .gauge, "1 once the date is known.", log.clock.isSet ? 1 : 0)
    }

    private func addRoutes(to text: inout PrometheusText) {
        let routes = routes
        func samples(_ value: (RouteReport) -> Double?) -> [PrometheusText.Sample] {
            routes.compactMap { route in
                value(route).map {
                    .init($0, ("uplink", route.uplink), ("route", route.route), ("priority", route.priority))
                }
            }
        }
        text.add("roost_queue_messages", .gauge, "Messages that wait for the uplink.", samples { Double($0.messages) })
        text.add("roost_queue_bytes", .gauge, "Bytes that wait for the uplink.", samples { Double($0.bytes) })
        text.add(
            "roost_queue_budget_bytes", .gauge, "uplink.route.budget, where the route has one.",
            samples { $0.budgetBytes.map(Double.init) })
        text.add(
            "roost_queue_at_budget", .gauge, "1 while a route's own budget costs messages.",
            samples { $0.budgetBytes == nil ? nil : $0.isAtBudget ? 1 : 0 })
        text.add(
            "roost_queue_oldest_seconds", .gauge, "Age of the oldest message that waits; 0: nothing waits.",
            samples { age(ofStoreTime: $0.oldest) ?? 0 })
        text.add(
            "roost_queue_refused_messages_total", .counter, "Messages that the far end refused for good.",
            samples { $0.isOrphaned ? nil : Double($0.refused) })
        text.add(
            "roost_queue_lost_messages_total", .counter, "Messages that will never arrive, by reason.",
            routes.flatMap { route in
                route.lost.map {
                    .init(
                        Double($0.messages), ("uplink", route.uplink), ("route", route.route),
                        ("priority", route.priority), ("reason", $0.reason))
                }
            })
        text.add(
            "roost_queue_orphaned", .gauge, "1 for a backlog whose route has left the configuration.",
            samples { $0.isOrphaned ? 1 : 0 })
    }

    private func addUplinks(to text: inout PrometheusText) {
        let reports = uplinks.map(\.report)
        func samples(_ value: (UplinkReport) -> Double?) -> [PrometheusText.Sample] {
            reports.compactMap { report in value(report).map { .init($0, ("uplink", report.name)) } }
        }
        text.add("roost_uplink_up", .gauge, "1 while connected.", samples { $0.isUp ? 1 : 0 })
        text.add(
            "roost_uplink_state", .gauge, "1 for the state that the link is in.",
            reports.flatMap { report in
                UplinkReport.State.allCases.map {
                    .init(report.state == $0 ? 1 : 0, ("uplink", report.name), ("state", $0.rawValue))
                }
            })
        text.add(
            "roost_uplink_sent_messages_total", .counter, "Messages sent, again or for the first time.",
            samples { Double($0.sentMessages) })
        text.add("roost_uplink_sent_bytes_total", .counter, "Bytes sent on the link.", samples { Double($0.sentBytes) })
        text.add(
            "roost_uplink_received_bytes_total", .counter, "Bytes received on the link.",
            samples { Double($0.receivedBytes) })
        text.add(
            "roost_uplink_acknowledged_messages_total", .counter, "Messages that the far end has.",
            samples { Double($0.acknowledgedMessages) })
        text.add(
            "roost_uplink_downgraded_messages_total", .counter, "Messages of QoS 2 that were sent at QoS 1.",
            samples { Double($0.downgradedMessages) })
        text.add(
            "roost_uplink_reconnects_total", .counter, "Connections after the first.", samples { Double($0.reconnects) }
        )
        text.add(
            "roost_uplink_round_trip_seconds", .gauge, "Smoothed time from sending to acknowledgement.",
            samples { $0.roundTripMilliseconds > 0 ? $0.roundTripMilliseconds / 1000 : nil })
    }
}

extension Admin {
    private func addIngest(_ ingest: Ingest, to text: inout PrometheusText) {
        let figures = ingest.figures
        text.add("roost_ingest_batches_total", .counter, "Batches taken from other nodes.", figures.batches)
        text.add(
            "roost_ingest_refused_batches_total", .counter, "Batches refused.",
            BatchRefusal.words.map { .init(Double(figures.refused[$0] ?? 0), ("reason", $0)) })
        text.add("roost_ingest_messages_total", .counter, "Messages taken out of batches.", figures.messages)
        text.add(
            "roost_ingest_duplicate_messages_total", .counter, "Messages that had come before.", figures.duplicates)
        text.add(
            "roost_ingest_looped_messages_total", .counter, "Messages that this node had passed on itself.",
            figures.loops)
        text.add("roost_ingest_nodes", .gauge, "Nodes of which something has come.", ingest.states.nodeCount)
        text.add(
            "roost_ingest_memory_bytes", .gauge, "Memory for what is known of each node's numbers.",
            ingest.states.bytes)
    }
}
