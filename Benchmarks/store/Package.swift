// swift-tools-version: 6.2
import PackageDescription

/// The store by itself, without a broker: for Benchmarks/run.
let package = Package(
    name: "store-bench",
    dependencies: [.package(name: "roost", path: "../..")],
    targets: [
        .executableTarget(
            name: "store-bench", dependencies: [.product(name: "RoostStore", package: "roost")], path: "Sources/store",
            swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))])
    ],
    swiftLanguageModes: [.v6]
)
