import EventLoop

/// The event loop's endpoint, beside the configuration's of the same name.
typealias NetworkEndpoint = Endpoint
