import Testing

/// The real daemon, over real sockets and a real disk, with programs that others wrote. One at a time: each of them wants
/// the machine for itself.
///
/// Environment: `ROOSTD` and `ROOST` name other binaries than those built with the tests (a release build, say);
/// `ROOST_PYTHON` a Python with paho-mqtt 2; `ROOST_FULL=1` runs the long load in a debug build too; `ROOST_SEED` repeats
/// the choices of a run that failed; `ROOST_VERBOSE=1` prints what passing tests found. `TMPDIR` is where files go: a real
/// disk, for a tmpfs syncs nothing.
@Suite("End to end", .serialized)
struct EndToEndTests {}
