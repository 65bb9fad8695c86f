import CLinux
import Glibc

/// The disk under a directory, as the kernel knows it.
struct Disk {
    /// Of the file system: "ext4".
    let fileSystem: String
    /// The block device's name, "mmcblk0p2"; nil where it can't be found (overlay, network, memory).
    let device: String?
    private let statistics: String?

    init(under path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else {
            (fileSystem, device, statistics) = ("unknown", nil, nil)
            return
        }
        let number = DeviceNumber(information.st_dev)
        let mount = Self.mount(of: number)
        fileSystem = mount?.type ?? "unknown"
        var found = number
        // File systems that span devices have a number of their own; what they are mounted from tells more.
        if access(Self.statistics(number), R_OK) != 0, let source = mount?.source, source.hasPrefix("/dev/") {
            var node = stat()
            if stat(source, &node) == 0 { found = DeviceNumber(node.st_rdev) }
        }
        let file = Self.statistics(found)
        guard access(file, R_OK) == 0 else {
            (device, statistics) = (nil, nil)
            return
        }
        statistics = file
        let event = Files.read("/sys/dev/block/\(found)/uevent") ?? ""
        device = event.split(separator: "\n").first { $0.hasPrefix("DEVNAME=") }.map { String($0.dropFirst(8)) }
    }

    /// "ext4 on vda".
    var name: String { device.map { "\(fileSystem) on \($0)" } ?? fileSystem }

    /// Bytes that the device has taken since the machine started, whoever wrote them (Documentation/block/stat.rst: the
    /// seventh number, in sectors of 512 bytes).
    func writtenBytes() -> Int? {
        guard let statistics, let text = Files.read(statistics) else { return nil }
        let numbers = text.split(whereSeparator: \.isWhitespace)
        return numbers.count > 6 ? Int(numbers[6]).map { $0 * 512 } : nil
    }

    /// Whether the file has parts in memory that are not on the disk yet; nil where the kernel can't tell.
    static func isDirty(_ path: String) -> Bool? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let pages = linux_dirty_pages(descriptor)
        return pages < 0 ? nil : pages > 0
    }

    private static func statistics(_ number: DeviceNumber) -> String { "/sys/dev/block/\(number)/stat" }

    /// proc(5), mountinfo: the device is the third word; the type and the source follow the dash.
    private static func mount(of number: DeviceNumber) -> (type: String, source: String)? {
        for line in (Files.read("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == "\(number)", let dash = words.firstIndex(of: "-"),
                words.count > dash + 2
            else { continue }
            return (String(words[dash + 1]), String(words[dash + 2]))
        }
        return nil
    }
}

/// A device's number as /sys and /proc write it, "8:1".
struct DeviceNumber: CustomStringConvertible {
    let description: String

    /// glibc's makedev(3): the halves of both numbers are interleaved.
    init(_ number: dev_t) {
        let major = (number >> 8) & 0xFFF | (number >> 32) & ~0xFFF
        let minor = number & 0xFF | (number >> 12) & ~0xFF
        description = "\(major):\(minor & 0xFFFF_FFFF)"
    }
}
