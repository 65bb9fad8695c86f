import Testing

/// The real daemon, over real sockets and a real disk, with programs that others wrote. One at a time: each of them wants
/// the machine for itself.
@Suite("End to end", .serialized)
struct EndToEndTests {}
