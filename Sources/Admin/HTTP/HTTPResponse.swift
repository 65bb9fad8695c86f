import EventLoop
import JSON

/// An answer: status, body, and the few fields beyond what every answer has.
public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    public var contentType: String
    public var body: [UInt8]
    public var fields: [HTTPField] = []

    public init(_ status: HTTPStatus, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    public static func json(_ status: HTTPStatus = .ok, _ write: (inout JSONWriter) -> Void) -> HTTPResponse {
        var json = JSONWriter()
        write(&json)
        return HTTPResponse(status, contentType: "application/json", body: json.bytes + [10])
    }

    /// `{"ok":true}`
    public static var done: HTTPResponse { .json { $0.object { $0.member("ok", true) } } }

    /// `{"error": text}`
    public static func failure(_ status: HTTPStatus, _ reason: String) -> HTTPResponse {
        .json(status) { $0.object { $0.member("error", reason) } }
    }

    func with(_ name: String, _ value: String) -> HTTPResponse {
        var response = self
        response.fields.append(HTTPField(name: name, value: value))
        return response
    }

    /// The head, with the length of the body whether or not that follows (RFC 9110 §8.6).
    ///
    /// - Parameter seconds: since 1970 UTC, for the Date field; nil where the clock isn't set (RFC 9110 §6.6.1).
    func head(closes: Bool, date seconds: Int64?) -> [UInt8] {
        var text = "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\n"
        if let seconds { text += "Date: \(HTTPDate.text(seconds))\r\n" }
        text += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\nCache-Control: no-store\r\n"
        text += "X-Content-Type-Options: nosniff\r\n"
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        text += closes ? "Connection: close\r\n\r\n" : "\r\n"
        return Array(text.utf8)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970 UTC, not negative.
    static func text(_ seconds: Int64) -> String {
        let date = CivilTime(milliseconds: seconds * 1000)
        return
            "\(days[date.dayNumber % 7]), \(date.twoDigitDay) \(months[date.month - 1]) \(date.year) \(date.time) GMT"
    }
}
