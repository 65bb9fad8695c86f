import Bluetooth
import Bridge

/// The bind keys, when it gets serious.
enum Keys {
    /// What is wrong with the file was found by the check; here it may have changed since.
    static func load(_ path: String) -> [DeviceAddress: BindKey] {
        guard !path.isEmpty else { return [:] }
        do throws(KeysFile.Unreadable) {
            let (file, isOpenToAll) = try KeysFile.read(path)
            for problem in file.problems { BridgeOutput.log(.error, "\(path): \(problem)") }
            if isOpenToAll {
                BridgeOutput.log(.warning, "\(path): everybody on this machine can read the keys (chmod 640)")
            }
            return file.keys
        } catch {
            BridgeOutput.log(.error, "\(path): \(error.message)")
            return [:]
        }
    }
}
