import Testing

extension EndToEndTests {
    /// roost-bluetooth between a simulated BlueZ and a broker: Scripts/bluetooth_bridge.py.
    @Suite(
        .enabled(
            if: Programs.python != nil && Programs.canSimulateBlueZ,
            "needs a Python with paho-mqtt 2, python3-dbusmock and dbus-daemon"))
    struct BluetoothTests {
        private static let scripts = Programs.package + "/Tests/EndToEnd/Scripts"

        @Test(arguments: ["advertisements", "outages", "characteristics", "flood"])
        func betweenASimulatedBlueZAndABroker(scenario name: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()

            try play(name, scenario, port: roostd.port)
        }

        /// The script is the twin here, which roostd allows to nobody.
        @Test(.enabled(if: Programs.mosquitto != nil, "needs mosquitto"))
        func whatATwinExpectsIsWrittenToTheDevice() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            try mosquitto.start()

            try play("twin", scenario, port: mosquitto.port)
        }

        private func play(_ name: String, _ scenario: Scenario, port: UInt16) throws {
            let output = try scenario.run(
                Programs.python ?? "",
                [
                    Self.scripts + "/bluetooth_bridge.py", Programs.roostBluetooth, "\(port)", name,
                ], name: name)

            #expect(output.contains("\(name): as promised"))
            scenario.note(output)
        }

        /// A few thousand advertisements with a known seed; the script takes more, and other seeds.
        @Test(.enabled(if: Programs.hasReferenceOfBTHome, "needs a Python with bthome-ble"))
        func saysOfBTHomeWhatTheReferenceSays() throws {
            let scenario = try Scenario()
            defer { scenario.end() }

            let output = try scenario.run(
                Programs.python ?? "", [Self.scripts + "/bthome_oracle.py", Programs.roostBluetooth, "2000", "1"])

            #expect(output.contains(" 0 differ"))
            scenario.note(output)
        }

        @Test func aTableIsCheckedWithoutABus() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            func check(_ table: String) throws -> (code: Int32, said: String) {
                let file = try scenario.directory.write("table", table)
                let child = try scenario.spawn(
                    "/bin/sh", ["-c", "exec \"$0\" --check <\(file)", Programs.roostBluetooth], name: "check")
                return (try scenario.finish(child), child.output)
            }

            #expect(try check(#"{"device": [{"address": "A4:C1:38:00:11:22", "name": "fridge"}]}"#) == (0, ""))
            #expect(
                try check(#"{"device": [{"address": "fridge"}]}"#) == (
                    1, "device.0.address: \"fridge\" is not an address (\"A4:C1:38:00:11:22\")\n"
                ))
        }

        @Test func nobodyElseIsLinkedWithTheBus() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            for program in [Programs.roostd, Programs.roost] {
                #expect(!(try scenario.run("ldd", [program]).contains("libsystemd")))
            }
        }

        @Test func aScanWithoutABusSaysWhatIsMissing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let child = try scenario.spawn(
                "env",
                [
                    "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent", Programs.roost, "bluetooth", "scan",
                ], name: "scan")
            #expect(try scenario.finish(child) == 3)
            #expect(child.errors.contains("roost-bluetooth: cannot reach the system bus"))
        }
    }
}
