/// One module as `roost modules` shows it.
public struct ModuleReport: Sendable, Equatable {
    public enum State: String, Sendable {
        /// Its process runs, and has yet to connect.
        case starting
        /// Its process runs and is connected.
        case running
        /// Its process has ended, and is started again after a while.
        case waiting
        /// It has been told to end.
        case stopping
        /// It has ended, and was told to.
        case stopped
        /// It can't be started. That is tried again, seldom.
        case failed
    }

    public var name: String
    public var program: String
    public var state: State
    /// Of its process; nil: it has none.
    public var pid: Int32?
    /// Starts after the first.
    public var restarts: UInt64
    /// Why it last ended, or could not be started; nil once it has run well for a while.
    public var error: String?

    public init(
        name: String, program: String, state: State, pid: Int32? = nil, restarts: UInt64 = 0, error: String? = nil
    ) {
        self.name = name
        self.program = program
        self.state = state
        self.pid = pid
        self.restarts = restarts
        self.error = error
    }

    /// It does its work.
    public var isUp: Bool { state == .running }
}
