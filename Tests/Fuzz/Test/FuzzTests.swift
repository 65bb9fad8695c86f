import Glibc
import Testing

/// A short run of every target inside the ordinary tests: the corpus, and a fixed number of mutations of it with a known seed,
/// so that it does the same every time. `make fuzz` goes on where this ends.
@Suite struct FuzzTests {
    @Test(arguments: FuzzTarget.allCases)
    func corpusAndMutationsBreakNothing(target: FuzzTarget) throws {
        let corpus = try Corpus(target)
        #expect(!corpus.inputs.isEmpty)
        for input in corpus.inputs { corpus.run(input) }
        var mutator = Mutator(corpus: corpus.inputs, seed: 1)
        for _ in 0..<target.mutations { corpus.run(mutator.next()) }
    }
}

extension FuzzTarget {
    /// As many as take a second or two in a debug build.
    fileprivate var mutations: Int {
        switch self {
        case .broker: 60
        case .toml: 100
        case .websocket, .proxy, .modbus: 500
        case .mqtt4, .mqtt5, .http, .batch, .passwords, .acl, .scram, .twin, .bluetooth: 2000
        }
    }
}

/// A target's inputs in `Corpus/`. Each is written down before it is run: what ends the process is found there.
private struct Corpus {
    let inputs: [[UInt8]]
    private let target: FuzzTarget
    private let note: String

    init(_ target: FuzzTarget) throws {
        self.target = target
        let own = #filePath
        let path = own.split(separator: "/").dropLast(2).map { "/\($0)" }.joined() + "/Corpus/\(target.rawValue)"
        let listing = try #require(opendir(path), "no \(path)")
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        inputs = names.sorted().map { Self.read("\(path)/\($0)") }
        note = (getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/roost-fuzz-\(target.rawValue).last"
    }

    func run(_ input: [UInt8]) {
        let descriptor = open(note, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        _ = write(descriptor, input, input.count)
        close(descriptor)
        target.run(input)
        unlink(note)
    }

    private static func read(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}

/// Makes inputs of inputs, as libFuzzer does, but without looking at what they reach.
private struct Mutator {
    private let corpus: [[UInt8]]
    private var random: SplitMix64

    private static let longest = 4096

    init(corpus: [[UInt8]], seed: UInt64) {
        self.corpus = corpus
        random = SplitMix64(state: seed)
    }

    mutating func next() -> [UInt8] {
        var bytes = pick()
        for _ in 0..<Int.random(in: 1...6, using: &random) { mutate(&bytes) }
        return Array(bytes.prefix(Self.longest))
    }

    private mutating func pick() -> [UInt8] { corpus.randomElement(using: &random) ?? [] }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let count = min(Int.random(in: 0...16, using: &random), bytes.count - place)
        let noise = (0..<Int.random(in: 0...8, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1 where place < bytes.count: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
        case 2: bytes.insert(contentsOf: noise, at: place)
        case 3: bytes.removeSubrange(place..<place + count)
        case 4: bytes.insert(contentsOf: bytes[place..<place + count], at: place)
        case 5: bytes.removeSubrange(place...)
        case 6:
            let other = pick()
            let from = Int.random(in: 0...other.count, using: &random)
            bytes.replaceSubrange(place..., with: other[from...])
        default: bytes.replaceSubrange(place..<place + count, with: noise)
        }
    }
}
