// swift-tools-version: 6.2
import PackageDescription

/// Release builds drop the dynamic exclusivity check, which costs more than the rest of the message path together
/// (docs/performance.md has the measurement). Debug builds, and so all unit tests, keep it.
let settings: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
    .enableUpcomingFeature("ExistentialAny"),
]

/// What runs seldom is built small: it would only fill memory.
let small: [SwiftSetting] = settings + [.unsafeFlags(["-Osize"], .when(configuration: .release))]

func library(_ name: String, _ dependencies: [Target.Dependency], _ swiftSettings: [SwiftSetting] = settings) -> Target
{
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: settings)
}

/// Bytes that nobody meant, for whatever takes bytes. In the ordinary tests a short run with a known seed; with ROOST_FUZZ set,
/// which `make fuzz` does, the program that libFuzzer makes of the same targets, and which no other build has a part in.
let fuzzing: [Target] = {
    let dependencies: [Target.Dependency] = [
        "Bluetooth", "Modbus", "Bridge", "Access", "Twin", "Uplink", "Broker", "Store", "EventLoop", "MQTT",
        "Configuration",
    ]
    guard Context.environment["ROOST_FUZZ"] != nil else {
        return [tests("Fuzz", dependencies, exclude: ["Command", "Corpus", "run"])]
    }
    return [
        .executableTarget(
            name: "fuzz", dependencies: dependencies, path: "Tests/Fuzz", exclude: ["Test", "Corpus", "run"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
    ]
}()

/// What looks at the programs: left out where `make build` makes those alone, all four at once.
let proofs: [Target] = [
    tests("EventLoopTests", ["EventLoop"]),
    tests("MQTTTests", ["MQTT"]),
    tests("ConfigurationTests", ["Configuration"]),
    tests("JSONTests", ["JSON"]),
    tests("BridgeTests", ["Bridge", "Client", "Configuration", "JSON", "EventLoop", "MQTT"]),
    tests(
        "ModbusTests", ["Modbus", "Bridge", "Client", "Configuration", "JSON", "EventLoop", "MQTT"],
        exclude: ["Reference"]),
    tests("StoreTests", ["Store", "EventLoop", "MQTT"], exclude: ["Databases"]),
    tests("BrokerTests", ["Broker", "Store", "EventLoop", "MQTT"]),
    tests("AccessTests", ["Access", "Broker", "Store", "EventLoop", "MQTT", "COpenSSL"]),
    tests("ClientTests", ["Client", "EventLoop", "MQTT"]),
    tests("UplinkTests", ["Uplink", "Broker", "Client", "Store", "EventLoop", "MQTT"]),
    tests("TwinTests", ["Twin", "Broker", "Store", "EventLoop", "MQTT", "JSON"]),
    tests(
        "RoostTests",
        [
            "roost", "Configuration", "Uplink", "Store", "EventLoop", "MQTT",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
    tests(
        "ModulesTests", ["Modules", "Broker", "Client", "Configuration", "Store", "EventLoop", "MQTT", "JSON"],
        exclude: ["child.py"]),
    tests("AdminTests", ["Admin", "Modules", "Uplink", "Broker", "Client", "Store", "EventLoop", "MQTT"]),
    tests(
        "BluetoothTests",
        ["Bluetooth", "Bridge", "Client", "Configuration", "JSON", "EventLoop", "MQTT", "COpenSSL"]),
    tests("EndToEnd", ["Client", "EventLoop", "MQTT"], exclude: ["Scripts"]),
    tests("Conformance", ["CLinux", "COpenSSL"]),

    // The store by itself, without a broker: for Benchmarks/run.
    .executableTarget(
        name: "store-bench", dependencies: ["Store", "EventLoop", "MQTT"], path: "Benchmarks/store",
        swiftSettings: settings),

    // The simulation is a library that a test and a command drive.
    .target(
        name: "Simulation",
        dependencies: ["Uplink", "Broker", "Store", "EventLoop", "MQTT", "CSQLite"], path: "Tests/Simulation",
        exclude: ["Command", "Mutations"], swiftSettings: settings),
    .executableTarget(
        name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulation/Command", swiftSettings: settings),
    tests("SimulationTests", ["Simulation", "CSQLite"]),
]

let package = Package(
    name: "roost",
    products: [
        .executable(name: "roostd", targets: ["roostd"]),
        .executable(name: "roost", targets: ["roost"]),
        .executable(name: "roost-modbus", targets: ["roost-modbus"]),
        .executable(name: "roost-bluetooth", targets: ["roost-bluetooth"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        .target(name: "CLinux"),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CLZ4", providers: [.apt(["liblz4-dev"])]),
        // Without pkgConfig: it is linked where it is imported, and costs nothing elsewhere.
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        // D-Bus: for roost-bluetooth alone.
        .systemLibrary(name: "CSystemd", providers: [.apt(["libsystemd-dev"])]),

        library("EventLoop", ["CLinux", "COpenSSL"]),
        library("MQTT", []),
        library("Configuration", [], small),
        library("JSON", [], small),
        library("Client", ["EventLoop", "MQTT"]),
        library(
            "Store",
            ["EventLoop", "MQTT", "CSQLite", "CLZ4", .product(name: "DequeModule", package: "swift-collections")]),
        library(
            "Broker",
            [
                "Store", "EventLoop", "MQTT", .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ]),
        library("Access", ["Broker", "EventLoop", "MQTT", "JSON", "COpenSSL"], small),
        library("Uplink", ["Broker", "Client", "Store", "EventLoop", "MQTT", "CLZ4", "COpenSSL"]),
        library("Twin", ["Broker", "Store", "EventLoop", "MQTT", "JSON"], small),
        library(
            "Bridge",
            [
                "Client", "Configuration", "JSON", "EventLoop", "MQTT",
                .product(name: "DequeModule", package: "swift-collections"),
            ], small),
        library(
            "Modbus",
            [
                "Bridge", "Configuration", "JSON", "EventLoop", "MQTT", "CLinux",
                .product(name: "DequeModule", package: "swift-collections"),
            ], small),
        library(
            "Bluetooth",
            [
                "Bridge", "Configuration", "JSON", "EventLoop", "MQTT", "COpenSSL",
                .product(name: "DequeModule", package: "swift-collections"),
            ], small),
        library("BlueZ", ["Bluetooth", "EventLoop", "CSystemd"], small),
        library("Modules", ["Broker", "EventLoop", "MQTT", "Configuration", "JSON", "CLinux"], small),
        library("Admin", ["Modules", "Twin", "Uplink", "Broker", "Store", "EventLoop", "MQTT", "JSON"], small),
        .executableTarget(
            name: "roostd",
            dependencies: [
                "Admin", "Modules", "Access", "Twin", "Uplink", "Broker", "Store", "EventLoop", "MQTT", "Configuration",
                "CLinux",
            ],
            swiftSettings: small),
        .executableTarget(name: "roost-modbus", dependencies: ["Bridge", "Modbus"], swiftSettings: small),
        .executableTarget(
            name: "roost",
            dependencies: [
                "Modbus", "Client", "Access", "Uplink", "Store", "EventLoop", "MQTT", "Configuration", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        .executableTarget(
            name: "roost-bluetooth", dependencies: ["BlueZ", "Bluetooth", "Bridge", "EventLoop", "JSON"],
            swiftSettings: small),
    ] + (Context.environment["ROOST_PROGRAMS"] == nil ? proofs + fuzzing : []),
    swiftLanguageModes: [.v6]
)
