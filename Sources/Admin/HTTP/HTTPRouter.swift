/// Who answers what: methods and path patterns, looked at in their order. A `*` in a pattern stands for one or more
/// segments, so that names that hold slashes can be typed as they are.
public struct HTTPRouter {
    /// Answers once, at once or in a later tick.
    public typealias Handler = (HTTPCall) -> Void

    private struct Route {
        var method: HTTPMethod
        var pattern: [Substring]
        /// Answered without a token: what probes ask.
        var isOpen: Bool
        var handler: Handler
    }

    private var routes: [Route] = []

    public init() {}

    /// - Parameter pattern: `/clients/*/kick`
    public mutating func add(
        _ method: HTTPMethod, _ pattern: String, isOpen: Bool = false, _ handler: @escaping Handler
    ) {
        routes.append(Route(method: method, pattern: pattern.split(separator: "/"), isOpen: isOpen, handler: handler))
    }

    enum Match {
        case found(Handler, wildcard: String, isOpen: Bool)
        case wrongMethod(allowed: [HTTPMethod])
        case nothing
    }

    func match(_ method: HTTPMethod, _ path: [String]) -> Match {
        let wanted = method == .head ? .get : method
        var allowed: [HTTPMethod] = []
        for route in routes {
            guard let wildcard = Self.match(route.pattern, path) else { continue }
            if route.method == wanted { return .found(route.handler, wildcard: wildcard, isOpen: route.isOpen) }
            allowed += route.method == .get ? [.get, .head] : [route.method]
        }
        return allowed.isEmpty ? .nothing : .wrongMethod(allowed: allowed)
    }

    /// What the wildcard stands for; "" where there is none; nil: no match.
    private static func match(_ pattern: [Substring], _ path: [String]) -> String? {
        guard let star = pattern.firstIndex(of: "*") else {
            return pattern.elementsEqual(path, by: ==) ? "" : nil
        }
        let tail = pattern.count - star - 1
        let end = path.count - tail
        guard end > star, pattern[..<star].elementsEqual(path[..<star], by: ==),
            pattern[(star + 1)...].elementsEqual(path[end...], by: ==)
        else { return nil }
        return path[star..<end].joined(separator: "/")
    }
}

/// One request that is to be answered.
public struct HTTPCall {
    public let request: HTTPRequest
    /// What the pattern's `*` stands for.
    public let name: String
    /// The caller has shown that it may see and do everything.
    public let isTrusted: Bool
    /// Takes the answer, once.
    public let answer: (HTTPResponse) -> Void
}
