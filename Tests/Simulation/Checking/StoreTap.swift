import MQTT
import Store
import Uplink

/// Reads along what a process gives its store to write: which number each message of a route has, and which streams there are.
final class StoreTap {
    private unowned let world: World
    private let role: Role
    private let epoch: UInt64
    private var routes: [StreamID: String] = [:]

    init(_ world: World, _ role: Role, epoch: UInt64) {
        self.world = world
        self.role = role
        self.epoch = epoch
    }

    func submit(_ group: CommitGroup) {
        for change in group.changes {
            world.trace.detail("\(role.rawValue)'s group \(group.number): \(String(describing: change).prefix(200))")
        }
        for change in group.changes { if case .stream(let record) = change { note(record) } }
        for segment in group.segments {
            world.tally.add(.mixed, segment.sets.count)
            if world.scenario.maximumSessionStreams == 256 { world.tally.add(.manySets, segment.sets.count) }
            guard role == .node, let route = routes[segment.stream] else { continue }
            read(segment, of: route)
        }
    }

    private func note(_ record: StreamRecord) {
        switch record.kind {
        case .route(let name): routes[record.id] = name
        case .sessions(let members):
            world.tally.add(.sets)
            if members.contains(where: { $0.qos != members[0].qos }) { world.tally.add(.mixedQoS) }
        case .mixed: break
        }
    }

    private func read(_ segment: SegmentWrite, of route: String) {
        segment.packets.withUnsafeBytes { bytes in
            var offset = 0
            var number = segment.first
            while offset < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                guard let packet = try? readFrame(rest, maximum: 1 << 28, version: .v5),
                    let publish = try? PublishView(packet, version: .v5)
                else { return world.fail(.simulation, "a segment that can't be read") }
                let place = BatchPlace(route: route, run: BatchRun(epoch: epoch), number: number)
                world.model.store(place, String(decoding: publish.payload, as: UTF8.self))
                offset += packet.length
                number += 1
            }
        }
    }
}
