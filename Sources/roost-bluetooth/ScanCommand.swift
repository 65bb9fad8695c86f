import BlueZ
import Bluetooth
import Bridge
import EventLoop
import Glibc
import JSON

/// `roost-bluetooth scan`: what can be heard here, and the table that makes a module of it.
final class ScanCommand: RadioDelegate {
    private let options: ScanOptions
    private let loop: EventLoop
    private let radio: BlueZ
    private var decoder: AdvertisementDecoder
    private var listing = ScanListing()
    private var exitCode: Int32 = 0
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    /// As `roost` has its exit codes.
    private static let cannotConnect: Int32 = 3

    /// Without a terminal to watch, or a time.
    private static let usualSeconds = 10

    static func run(_ arguments: [String]) -> Int32 {
        do throws(ScanOptions.Problem) {
            return try start(ScanOptions(arguments))
        } catch {
            complain(error.message)
            return 2
        }
    }

    private static func start(_ options: ScanOptions) -> Int32 {
        do throws(SystemError) {
            let loop = try EventLoop()
            let command = ScanCommand(options, loop)
            let signals = try SignalSource(loop: loop, signals: [SIGINT, SIGTERM]) { _ in loop.stop() }
            command.begin()
            loop.run()
            withExtendedLifetime(signals) { command.end() }
            return command.exitCode
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func complain(_ text: String) {
        let line = Array("roost-bluetooth: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }

    private init(_ options: ScanOptions, _ loop: EventLoop) {
        self.options = options
        self.loop = loop
        decoder = AdvertisementDecoder(keys: Keys.load(options.keysFile), isRaw: options.isAll)
        radio = BlueZ(loop: loop, adapter: options.adapter, connectTimeout: .seconds(30))
        radio.delegate = self
    }

    private func begin() {
        radio.start()
        let seconds = options.seconds ?? (isTerminal || options.isJSON ? nil : Self.usualSeconds)
        if let seconds { loop.schedule(after: .seconds(Int64(seconds))) { [loop] in loop.stop() } }
        if isTerminal, !options.isJSON { redraw() }
    }

    private func redraw() {
        // From the top, and whatever was below is wiped.
        let table = listing.text(now: loop.now)
        BridgeOutput.say("\u{1B}[H\u{1B}[2J\(table)\n\nCtrl-C ends this and prints the table to paste.")
        loop.schedule(after: .seconds(1)) { [weak self] in self?.redraw() }
    }

    private func end() {
        radio.stop()
        guard !options.isJSON, exitCode == 0 else { return }
        BridgeOutput.say(isTerminal ? "" : listing.text(now: loop.now) + "\n")
        BridgeOutput.say(listing.configuration(adapter: options.adapter))
    }

    // MARK: - RadioDelegate

    func radio(didChange state: RadioState) {
        guard case .unavailable(let why) = state else { return }
        Self.complain(why)
        exitCode = Self.cannotConnect
        loop.stop()
    }

    func radio(didHear advertisement: Advertisement) {
        var decoded: [Decoded] = []
        var failure: DecodingFailure?
        for part in advertisement.parts {
            do throws(DecodingFailure) {
                decoded.append(try decoder.decode(part, from: advertisement.address))
            } catch {
                if error != .unknownFormat, error != .repeated { failure = error }
            }
        }
        guard options.isAll || !decoded.isEmpty || failure != nil else { return }
        listing.add(advertisement, decoded, failure, at: loop.now)
        if options.isJSON { sayJSON(advertisement, decoded, failure) }
    }

    private func sayJSON(_ advertisement: Advertisement, _ decoded: [Decoded], _ failure: DecodingFailure?) {
        var json = JSONWriter()
        json.object { json in
            json.member("address", advertisement.address.description)
            json.member("name", advertisement.name)
            json.member("rssi", advertisement.rssi)
            json.member("timestamp", loop.clock.wallMilliseconds)
            if let failure { json.member("error", "\(failure)") }
            json.array("decoded") { json in
                for item in decoded { json.object { DecodeCommand.write(item, into: &$0) } }
            }
        }
        BridgeOutput.say(String(decoding: json.bytes, as: UTF8.self))
    }

    func radio(didFind device: DeviceAddress) {}
    func radio(didLose device: DeviceAddress) {}
    func radio(didNotify bytes: [UInt8], of place: CharacteristicPlace) {}
}
