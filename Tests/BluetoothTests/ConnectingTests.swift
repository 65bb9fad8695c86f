import Testing

@testable import Bluetooth

/// Characteristics: read on an interval, told of, written.
@Suite struct ConnectingTests {
    private let lamp = DeviceAddress(bits: 0xC0FF_EE00_0002)
    private let battery = AttributeUUID(short: 0x2A19)

    private func rig(_ characteristics: String, more: String = "", device: String = "") throws -> Rig {
        try Rig(
            #"{"format": "plain", "timeout": "60s", "retry": {"min": "4s", "max": "8s"}\#(more), "device": [{"address": "C0:FF:EE:00:00:02", "name": "lamp"\#(device), "characteristic": [\#(characteristics)]}]}"#
        )
    }

    private let hourly = #"{"uuid": "2a19", "name": "battery", "interval": "1h"}"#
    private let switched = #"{"uuid": "fff1", "name": "light", "type": "bool", "writable": true, "interval": "1h"}"#

    private func find(_ rig: Rig) {
        rig.radio.known.insert(lamp)
        rig.radio.delegate?.radio(didFind: lamp)
        rig.settle()
    }

    @Test func aDeviceIsConnectedForAReadAndLeftAgain() throws {
        let rig = try rig(hourly)
        rig.radio.values[battery] = [0x64]
        #expect(rig.radio.take() == ["start"])

        find(rig)
        #expect(rig.radio.take() == ["connect C0FFEE000002", "read 10777"])
        #expect(rig.broker.take() == ["bluetooth/lamp/state = online (r)", "bluetooth/lamp/battery = 100"])
        rig.pass(.seconds(3))
        #expect(rig.radio.take() == ["disconnect C0FFEE000002"])
        rig.radio.values[battery] = [0x63]
        rig.pass(.seconds(3600))
        #expect(rig.radio.take() == ["connect C0FFEE000002", "read 10777", "disconnect C0FFEE000002"])
        #expect(rig.broker.take().contains("bluetooth/lamp/battery = 99"))
    }

    @Test func notificationsKeepTheConnection() throws {
        let rig = try rig(#"{"uuid": "2a19", "name": "battery", "notify": true}"#)
        find(rig)
        #expect(rig.radio.take() == ["start", "connect C0FFEE000002", "notify 10777"])
        rig.pass(.seconds(600))
        #expect(rig.radio.take().isEmpty)
        _ = rig.broker.take()
        let place = CharacteristicPlace(device: lamp, uuid: battery)
        #expect(
            rig.published { rig.radio.delegate?.radio(didNotify: [7], of: place) } == ["bluetooth/lamp/battery = 7"])

        #expect(
            rig.published { rig.radio.delegate?.radio(didLose: lamp) } == ["bluetooth/lamp/state = offline (r)"])
        rig.pass(.seconds(6))
        #expect(rig.radio.take() == ["connect C0FFEE000002", "notify 10777"])
        #expect(rig.broker.take() == ["bluetooth/lamp/state = online (r)"])
    }

    @Test func whatCannotBeConnectedIsTriedAgainAndToldOfOnce() throws {
        let rig = try rig(hourly)
        rig.radio.connectResult = .failure(.refused("le-connection-abort-by-local"))
        find(rig)
        rig.pass(.seconds(30))
        let tries = rig.radio.take().filter { $0.hasPrefix("connect") }.count
        #expect((3...8).contains(tries))
        rig.radio.connectResult = .success(())
        rig.radio.values[battery] = [1]
        rig.pass(.seconds(11))
        #expect(rig.broker.take().contains("bluetooth/lamp/battery = 1"))
    }

    @Test func aWriteIsAnsweredAndReadBack() throws {
        let rig = try rig(switched)
        #expect(rig.broker.subscriptions == ["bluetooth/lamp/light/set"])
        rig.radio.values[AttributeUUID(short: 0xFFF1)] = [0]
        find(rig)
        _ = rig.radio.take()
        _ = rig.broker.take()
        let published = rig.published { rig.broker.send("bluetooth/lamp/light/set", "true") }
        #expect(rig.radio.take() == ["write 01", "read 65521"])
        let time = rig.clock.wallMilliseconds
        #expect(
            published == [
                #"bluetooth/lamp/light/set/result = {"ok":true,"value":true,"timestamp":\#(time)}"#,
                "bluetooth/lamp/light = true",
            ])
        let answers = rig.published {
            rig.broker.send("bluetooth/lamp/light/set", #"{"value": false, "id": "order-1"}"#)
        }
        #expect(rig.radio.take() == ["write 00", "read 65521"])
        #expect(answers.first?.contains(#""ok":true,"value":false,"id":"order-1""#) == true)
    }

    @Test(arguments: [
        ("blue", "blue is not true or false"), ("[1]", "not a value"), ("", "not a value"),
        (#"{"id": 1}"#, "not a value"),
    ])
    func aWriteOfNonsenseIsRefused(payload: String, error: String) throws {
        let rig = try rig(switched)
        let published = rig.published { rig.broker.send("bluetooth/lamp/light/set", payload) }
        #expect(published.count == 1 && published[0].contains(#""ok":false"#) && published[0].contains(error))
    }

    @Test func aWriteToWhoIsNotThereIsAnswered() throws {
        let rig = try rig(switched)
        _ = rig.published { rig.broker.send("bluetooth/lamp/light/set", "true") }
        rig.pass(.seconds(61))
        #expect(rig.broker.take().contains { $0.contains("the device has not been heard") })
        // And is not made up for later.
        find(rig)
        #expect(!rig.radio.take().contains("write 01"))
    }

    @Test func aRefusedWriteSaysWhy() throws {
        let rig = try rig(switched)
        find(rig)
        _ = rig.broker.take()
        rig.radio.writeResult = .failure(.refused("Write not permitted"))
        let published = rig.published { rig.broker.send("bluetooth/lamp/light/set", "true") }
        #expect(published.count == 1 && published[0].contains(#""error":"Write not permitted""#))
    }

    @Test func whatTheTwinExpectsIsWrittenAndConfirmed() throws {
        let rig = try rig(switched, device: #", "twin": true"#)
        find(rig)
        _ = rig.radio.take()
        _ = rig.broker.take()
        let published = rig.published {
            rig.broker.send("$hw/events/device/lamp/twin/update/delta", #"{"delta": {"light": "true", "other": "1"}}"#)
        }
        #expect(rig.radio.take() == ["write 01", "read 65521"])
        #expect(published.contains { $0.contains(#""light":{"actual":{"value":"true"}"#) })
    }

    @Test func onlySoManyAreConnectedAtATime() throws {
        let devices = (1...4).map { number in
            #"{"address": "00:00:00:00:00:0\#(number)", "name": "d\#(number)", "characteristic": [\#(hourly)]}"#
        }
        let rig = try Rig(#"{"format": "plain", "connections": 2, "device": [\#(devices.joined(separator: ","))]}"#)
        for number in 1...4 {
            rig.radio.known.insert(DeviceAddress(bits: UInt64(number)))
            rig.radio.delegate?.radio(didFind: DeviceAddress(bits: UInt64(number)))
        }
        rig.settle()
        #expect(rig.radio.connected.count == 2)
        var most = 0
        for _ in 0..<20 {
            rig.pass(.seconds(1))
            most = max(most, rig.radio.connected.count)
        }
        #expect(most == 2 && rig.radio.connected.isEmpty)
        #expect(rig.radio.take().count { $0.hasPrefix("read") } == 4)
    }

    @Test func stoppingFinishesTheWriteUnderWay() throws {
        let rig = try rig(switched)
        find(rig)
        rig.broker.send("bluetooth/lamp/light/set", "true")
        while !rig.radio.log.contains("write 01") { rig.loop.tick(wait: .zero) }
        _ = rig.broker.take()
        var isStopped = false
        let published = rig.published { rig.bridge.stop { isStopped = true } }
        #expect(isStopped && rig.radio.connected.isEmpty)
        #expect(published.contains { $0.contains(#"set/result = {"ok":true"#) })
    }
}
