/// What went wrong in a test, with what a person needs to look into it.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
