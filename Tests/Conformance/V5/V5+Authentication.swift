import Testing

/// Enhanced authentication with SCRAM-SHA-256, §3.15 and §4.12, where a user has a verifier for it.
extension V5 {
    private static let challenged = """
        A open
        A > 10[{MQTT} 05 02 0000 <15 {SCRAM-SHA-256} 16 {n,,n=user,r=0123}> {%A}]
        A < F0[18 ...]
        """
    private static let denied: [UInt8] = [0x20, 3, 0, 0x87, 0]

    @Test func `MQTT-3.15.2-1`() throws {
        for code in ["00", "01", "80", "19"] {
            try play(
                """
                \(Self.challenged)
                A > F0[\(code) <15 {SCRAM-SHA-256}>]
                A < 20[00 82 ...]
                A closed
                """, on: .scram)
        }
    }
    @Test func `MQTT-4.12.0-2`() throws { try play(Self.challenged, on: .scram) }
    @Test func `MQTT-4.12.0-4`() throws {
        try play(
            """
            \(Self.challenged)
            A > F0[18 <15 {SCRAM-SHA-256} 16 {c=biws,r=0123,p=AAAA}>]
            A < 20[00 87 ...]
            A closed
            """, on: .scram)
        // A wrong password, and nothing that SCRAM knows.
        let client = try Scram()
        #expect(try client.connect("wrong", password: "pencils") == Self.denied)
        #expect(try client.peer.next() == nil)
        try rejects("87", on: .scram, "10[{MQTT} 05 02 0000 <15 {SCRAM-SHA-256}> {%A}]")
    }
    @Test func `MQTT-4.12.0-5`() throws {
        let client = try Scram()
        let connack = try client.connect("method", password: "pencil")
        #expect(connack.starts(with: [0x20]) && connack[3] == 0)
        // Method and proof, wherever in the properties.
        let method: [UInt8] = [0x15, 0, 13] + Scram.method.utf8
        let place = (0..<connack.count).first { connack[$0...].starts(with: method) }
        #expect(place.flatMap { Scram.data(connack[$0...]) } == client.proof)
        let again = try client.again(password: "pencil")
        #expect(again.starts(with: [0xF0]) && again[2] == 0)
        #expect(Scram.data(again[4...]) == client.proof)
        // Another method than CONNECT's.
        try play(
            """
            \(Self.challenged)
            A > F0[18 <15 {SCRAM-SHA-1}>]
            A < 20[00 8c ...]
            A closed
            """, on: .scram)
    }
    @Test func `MQTT-4.12.1-2`() throws {
        let client = try Scram()
        #expect(try client.connect("again", password: "pencil").starts(with: [0x20]))
        let end = try client.again(password: "pencils")
        #expect(end.starts(with: [0xE0]) && end[2] == 0x87)
        #expect(try client.peer.next() == nil)
    }
}
