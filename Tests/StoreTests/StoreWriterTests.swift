import Synchronization
import Testing

@testable import Store

/// The writer on its thread.
@Suite struct StoreWriterTests {
    /// Reports as they come, from the writer's thread.
    final class Reports: Sendable {
        let numbers = Mutex<[UInt64]>([])
        let tags = Mutex<[UInt64]>([])

        func take(_ report: StoreReport) {
            switch report {
            case .committed(let number, _, _): numbers.withLock { $0.append(number) }
            case .read(let tag, _, _): tags.withLock { $0.append(tag) }
            default: break
            }
        }
    }

    @Test func everythingSubmittedIsReportedInOrderBeforeTheThreadEnds() throws {
        let directory = TemporaryDirectory()
        let reports = Reports()
        let writer = StoreWriter(database: try Database.open(path: directory.path)) { reports.take($0) }
        writer.submit(.commit(Sample.group(1, [], [.stream(Sample.route(1))])))

        for number in UInt64(2)...500 {
            writer.submit(.commit(Sample.group(number, [Sample.segment(1, number)])))
            if number % 50 == 0 {
                writer.submit(.read(tag: number, stream: StreamID(rawValue: 1), from: 0, maximumBytes: 1000))
            }
        }
        writer.submit(.close)
        writer.join()

        #expect(reports.numbers.withLock { $0 } == Array(1...500))
        #expect(reports.tags.withLock { $0 } == Array(stride(from: 50, through: 500, by: 50)))
        let opened = try Database.open(path: directory.path)
        #expect(try opened.counters(1)?.messages == 499)
    }

    /// Whoever is acknowledged publishes again, perhaps before the writer goes on: that is not company for the next commit.
    @Test func theNextCommitIsCountedByNobodyBeforeTheReport() throws {
        let directory = TemporaryDirectory()
        var order: [String] = []
        let worker = StoreWorker(database: try Database.open(path: directory.path)) { _ in order.append("report") }
        worker.didCommit = { order.append("\($0)") }

        worker.perform(.commit([Sample.group(1, [], [.stream(Sample.route(1))])]))
        worker.perform(.commit([Sample.group(2, [Sample.segment(1, 1)]), Sample.group(3, [Sample.segment(1, 2)])]))
        worker.perform(.close)

        #expect(order == ["0", "report", "2", "report", "report", "report"])
    }
}
