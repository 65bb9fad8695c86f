import Testing

@testable import Bluetooth

/// From advertisements to messages.
@Suite struct ListeningTests {
    private let fridge = DeviceAddress(bits: 0xA4C1_3800_1122)
    private let plain = #""format": "plain""#

    @Test func valuesComeUnderTheDevicesAddress() throws {
        let rig = try Rig()
        #expect(rig.radio.take() == ["start"])
        let published = rig.published { rig.hear(fridge, "4002ca09") }
        let time = rig.clock.wallMilliseconds
        #expect(
            published == [
                #"bluetooth/A4C138001122/temperature = {"value":25.06,"unit":"°C","timestamp":\#(time)}"#,
                "bluetooth/A4C138001122/state = online (r)",
            ])
    }

    @Test func aNameTakesTheAddressesPlace() throws {
        let rig = try Rig(
            #"{\#(plain), "rssi": true, "topic": "{node}/{name}/{device}/{measurement}", "device": [{"address": "A4:C1:38:00:11:22", "name": "fridge"}]}"#
        )
        #expect(
            rig.published { rig.hear(fridge, "4002ca09", rssi: -60) } == [
                "n/ble/fridge/temperature = 25.06", "n/ble/fridge/rssi = -60", "n/ble/fridge/state = online (r)",
            ])
    }

    @Test func valuesAreRetainedWhenAskedForAndEventsNever() throws {
        let rig = try Rig(#"{\#(plain), "retain": true, "qos": 0}"#)
        #expect(
            rig.published { rig.hear(fridge, "4001643a01") } == [
                "bluetooth/A4C138001122/battery = 100 (r)", "bluetooth/A4C138001122/button = press",
                "bluetooth/A4C138001122/state = online (r)",
            ])
    }

    @Test func whatIsHeardTwiceIsPublishedOnce() throws {
        let rig = try Rig("{\(plain)}")
        rig.hear(fridge, "40000902ca09")
        _ = rig.broker.take()
        #expect(rig.published { rig.hear(fridge, "40000902ca09") }.isEmpty)
        #expect(rig.published { rig.hear(fridge, "40000902cb09") }.isEmpty)
        #expect(
            rig.published { rig.hear(fridge, "40000a02ca09") } == ["bluetooth/A4C138001122/temperature = 25.06"])
    }

    @Test func whoIsNotAllowedIsNotHeard() throws {
        let rig = try Rig(#"{\#(plain), "allow": ["name:ATC_*", "00:00:00:00:00:01"]}"#)
        #expect(rig.published { rig.hear(fridge, "4002ca09") }.isEmpty)
        #expect(rig.published { rig.hear(fridge, "4002ca09", name: "Lamp") }.isEmpty)
        #expect(rig.published { rig.hear(fridge, "4002ca09", name: "ATC_1") }.count == 2)
        #expect(rig.published { rig.hear(DeviceAddress(bits: 1), "4002ca09") }.count == 2)
    }

    @Test func silenceIsOffline() throws {
        let rig = try Rig(#"{\#(plain), "timeout": "60s"}"#)
        rig.hear(fridge, "400001")
        rig.hear(fridge, "4002ca09")
        _ = rig.broker.take()
        rig.pass(.seconds(50))
        // The same bytes are no news, but a sign of life.
        rig.hear(fridge, "4002ca09")
        _ = rig.broker.take()
        rig.pass(.seconds(59))
        #expect(rig.broker.take().isEmpty)
        rig.pass(.seconds(2))
        #expect(rig.broker.take() == ["bluetooth/A4C138001122/state = offline (r)"])
        #expect(
            rig.published { rig.hear(fridge, "4002ca09") } == [
                "bluetooth/A4C138001122/temperature = 25.06", "bluetooth/A4C138001122/state = online (r)",
            ])
    }

    @Test func aDeviceOfTheTableThatIsNeverHeardIsOffline() throws {
        let rig = try Rig(
            #"{"device": [{"address": "A4:C1:38:00:11:22", "name": "fridge", "timeout": "10s"}]}"#)
        rig.pass(.seconds(11))
        #expect(rig.broker.take() == ["bluetooth/fridge/state = offline (r)"])
    }

    @Test func theAdapterHasAStateAndAWill() throws {
        let rig = try Rig(#"{"adapter": "hci1"}"#)
        #expect(rig.broker.will?.topic == Array("bluetooth/hci1/state".utf8) && rig.broker.will?.retain == true)
        #expect(
            rig.published { rig.radio.delegate?.radio(didChange: .unavailable("hci1 is powered off")) } == [
                "bluetooth/hci1/state = offline (r)"
            ])
        #expect(
            rig.published { rig.radio.delegate?.radio(didChange: .scanning) } == ["bluetooth/hci1/state = online (r)"])
        rig.hear(fridge, "4002ca09")
        _ = rig.broker.take()
        var isStopped = false
        #expect(
            rig.published { rig.bridge.stop { isStopped = true } } == [
                "bluetooth/A4C138001122/state = offline (r)", "bluetooth/hci1/state = offline (r)",
            ])
        #expect(isStopped && rig.radio.take().last == "stop")
    }

    @Test func withOnChangeTheSameValueIsNoNews() throws {
        let rig = try Rig(#"{\#(plain), "on_change": true, "heartbeat": "60s"}"#)
        rig.hear(fridge, "40000102ca09")
        _ = rig.broker.take()
        #expect(rig.published { rig.hear(fridge, "40000202ca09") }.isEmpty)
        #expect(rig.published { rig.hear(fridge, "40000302cb09") }.count == 1)
        // A button that is pressed again is pressed again.
        #expect(rig.published { rig.hear(fridge, "4000043a01") }.count == 1)
        #expect(rig.published { rig.hear(fridge, "4000053a01") }.count == 1)
        rig.pass(.seconds(61))
        #expect(rig.published { rig.hear(fridge, "40000602cb09") }.count == 1)
    }

    @Test func whoInventsAddressesFindsAnEnd() throws {
        let rig = try Rig(#"{\#(plain), "timeout": "60s"}"#)
        let limit = BluetoothBridge.mostStrangers
        for number in 0..<limit + 500 { rig.hear(DeviceAddress(bits: UInt64(number)), "400164") }
        #expect(rig.broker.take().count == limit * 2)
        #expect(rig.bridge.devices.count == limit)
        rig.pass(.seconds(61))
        #expect(rig.broker.take().count == limit)
        // Who went makes room, and nothing of him is retained.
        #expect(
            rig.published { rig.hear(fridge, "400164") }.sorted().suffix(2) == [
                "bluetooth/A4C138001122/battery = 100", "bluetooth/A4C138001122/state = online (r)",
            ])
        #expect(rig.bridge.devices.count == limit)
    }

    @Test func aTwinHasWhatIsHeard() throws {
        let rig = try Rig(
            #"{\#(plain), "device": [{"address": "A4:C1:38:00:11:22", "name": "fridge", "twin": true}]}"#)
        #expect(rig.broker.subscriptions.contains("$hw/events/device/fridge/twin/update/delta"))
        let published = rig.published { rig.hear(fridge, "4002ca09") }
        let update = published.first { $0.hasPrefix("$hw/events/device/fridge/twin/update = ") }
        #expect(update?.contains(#""temperature":{"actual":{"value":"25.06"},"metadata":{"type":"float"}}"#) == true)
        #expect(published.contains { $0.hasPrefix("$hw/events/device/fridge/state/update") && $0.contains("online") })
    }
}
