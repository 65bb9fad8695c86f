import EventLoop

extension NetworkError {
    /// Why roostd can't listen, and what to do.
    ///
    /// - Parameter key: the setting that holds the address.
    func listening(_ key: String) -> String {
        let advice =
            switch self {
            case .addressInUse: "stop what listens there (`ss -ltnp` names it), or set \(key)"
            case .addressNotAvailable: "`ip address` shows those it has; set \(key)"
            case .permissionDenied:
                "ports below 1024 want root or CAP_NET_BIND_SERVICE, a socket a directory that roostd may write; set \(key)"
            case .badPath: "the socket's directory must be there; make it, or set \(key)"
            default: "see \(key)"
            }
        return "cannot listen: \(self); \(advice)"
    }
}
