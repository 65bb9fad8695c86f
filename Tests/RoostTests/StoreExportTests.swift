import Glibc
import MQTT
import Store
import Testing
import Uplink

@testable import roost

@Suite struct StoreExportTests {
    private func segment(_ stream: Int64, first: UInt64, payloads: [String]) -> SegmentWrite {
        var packets: [UInt8] = []
        var index = SegmentIndex()
        for (offset, payload) in payloads.enumerated() {
            let rest = [0, 1, 0x74, 0, 1, 0] + Array(payload.utf8)
            packets += [0x32, UInt8(rest.count)] + rest
            index.append(laneSequence: first + UInt64(offset), receivedAt: 1000 + Int64(offset))
        }
        return SegmentWrite(
            stream: StreamID(rawValue: stream), first: first, count: payloads.count, packets: packets,
            index: index.bytes, receivedAt: 1000, expiry: .max)
    }

    private func stream(_ number: Int64, _ kind: StreamRecord.Kind) -> StreamRecord {
        StreamRecord(
            id: StreamID(rawValue: number), kind: kind, run: 1, lane: 0, evictionClass: .normal, ttl: 1 << 40)
    }

    /// A database with two routes and a session, in a directory of its own.
    private func database(in directory: String) throws {
        let run = RunRecord(
            ordinal: 1, epoch: 0xABC, bootID: "b", bootMilliseconds: 0, storeMilliseconds: 0,
            wallOffset: 1_795_000_000_000, clockSet: true, synchronised: true, endedCleanly: true)
        let database = try Database.open(path: directory)
        let group = CommitGroup(
            number: 1,
            segments: [
                segment(1, first: 1, payloads: ["a", "b"]), segment(1, first: 3, payloads: ["c"]),
                segment(2, first: 9, payloads: ["x"]), segment(3, first: 1, payloads: ["session"]),
            ],
            changes: [
                .run(run), .stream(stream(1, .route("cloud/plant"))), .stream(stream(2, .route("cloud/other"))),
                .stream(stream(3, .sessions([]))),
            ])
        _ = try database.commit(group)
        try database.close()
    }

    private func read(_ path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }

    /// Every batch as `ROUTE SEQUENCE`, then its payloads with their times.
    private func lines(_ bytes: [UInt8]) throws -> [String] {
        var lines: [String] = []
        let reader = BatchReader(limitBytes: 1 << 20)
        try bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let batch = try reader.open(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
                offset += batch.length
                #expect(batch.header.node == "pump-7")
                #expect(batch.header.run.epoch == 0xABC)
                lines.append("\(batch.header.route) \(batch.header.sequence)")
                for packet in batch.packets {
                    var names = ""
                    for property in PropertyReader(packet.properties) {
                        guard case .pair(let name, let value) = property.value else { continue }
                        names += " \(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))"
                    }
                    lines.append(String(decoding: packet.payload, as: UTF8.self) + names)
                }
            }
        }
        return lines
    }

    @Test(
        arguments: [
            (
                nil,
                [
                    "cloud/plant 1", "a t=1795000001000 via=pump-7", "b t=1795000001001 via=pump-7", "cloud/plant 3",
                    "c t=1795000001000 via=pump-7", "cloud/other 9", "x t=1795000001000 via=pump-7",
                ]
            ),
            ("cloud/other", ["cloud/other 9", "x t=1795000001000 via=pump-7"]),
        ] as [(String?, [String])])
    func routesAreWrittenAsBatches(route: String?, expected: [String]) throws {
        var template = Array("/tmp/roost-export-XXXXXX".utf8CString)
        let directory = try String(cString: #require(mkdtemp(&template)))
        defer { _ = system("rm -rf \(directory)") }
        try database(in: directory)

        let output = "\(directory)/out.lz4"
        var words = ["--data", directory, "-o", output, "--node", "pump-7"]
        if let route { words += ["--route", route] }
        try StoreCommand.Export.parse(words).run()

        #expect(try lines(read(output)) == expected)
        #expect(throws: Failure.self, "an existing file is not written over") {
            try StoreCommand.Export.parse(words).run()
        }
    }

    @Test func aRouteThatHasNothingIsNotFound() throws {
        var template = Array("/tmp/roost-export-XXXXXX".utf8CString)
        let directory = try String(cString: #require(mkdtemp(&template)))
        defer { _ = system("rm -rf \(directory)") }
        try database(in: directory)
        let command = try StoreCommand.Export.parse([
            "--data", directory, "-o", "\(directory)/out", "--route", "none/none",
        ])

        let failure = #expect(throws: Failure.self) { try command.run() }

        #expect(failure?.code == .refused)
    }
}
