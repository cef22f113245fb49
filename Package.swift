// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Nothing here uses regular expressions; imported unasked, they would be a sixth of the binary.
let productSettings =
    settings + [.unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"])]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: productSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies + ["TestSupport"], swiftSettings: settings)
}

let package = Package(
    name: "servicedesk-responder",
    products: [
        .executable(name: "servicedesk-responder", targets: ["servicedesk-responder"]),
        .executable(name: "servicedeskctl", targets: ["servicedeskctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLinux"),
        module("Product"),
        module("Bytes"),
        module("System", ["Bytes", "CLinux"]),
        module("EventLoop", ["System", "CLinux"]),
        module("RESP", ["Bytes"]),
        module("JSON", ["Bytes"]),
        module("FastCGI", ["Bytes", "System", "EventLoop", "CFastCGI", "CLinux"]),
        module(
            "Delivery",
            ["Bytes", "RESP", "System", .product(name: "DequeModule", package: "swift-collections")]),
        module(
            "Redis",
            [
                "Bytes", "RESP", "System", "EventLoop", "Delivery", "COpenSSL",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        module("Webhook", ["Bytes", "JSON", "COpenSSL"]),
        module("Tenants", ["Bytes", "JSON", "System", "Webhook"]),
        module("Diagnosis", ["Bytes", "JSON", "COpenSSL", "Webhook"]),
        module(
            "Responder",
            ["Product", "Bytes", "CLinux", "System", "EventLoop", "FastCGI", "Delivery", "Redis", "Webhook", "JSON"]),
        .executableTarget(
            name: "servicedesk-responder", dependencies: ["Product", "Responder", "System"],
            swiftSettings: productSettings),
        .executableTarget(
            name: "servicedeskctl",
            dependencies: [
                "Product", "Bytes", "Webhook", "Tenants", "Diagnosis", "Redis", "RESP", "JSON", "System",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: productSettings),
        .executableTarget(
            name: "codec-bench", dependencies: ["Bytes", "RESP", "FastCGI", "Webhook", "COpenSSL"],
            path: "Tests/benchmarks/Codecs", swiftSettings: productSettings),
        .executableTarget(
            name: "simulate",
            dependencies: ["Delivery", "Redis", "RESP", "EventLoop", "System", "COpenSSL", "TestSupport"],
            path: "Tests/simulation", swiftSettings: productSettings),
        // What the suites share: seeded random numbers, spoilt bytes, every way to cut them.
        .target(
            name: "TestSupport", dependencies: ["System", "COpenSSL"], path: "Tests/TestSupport",
            swiftSettings: settings),
        tests("Bytes", ["Bytes"]),
        tests("System", ["System", "CLinux"]),
        tests("EventLoop", ["System", "EventLoop"]),
        tests("RESP", ["RESP"]),
        tests("JSON", ["JSON"]),
        tests("FastCGI", ["FastCGI", "System", "EventLoop"]),
        tests("Delivery", ["Bytes", "Delivery", "RESP", "System", "COpenSSL"]),
        tests("Redis", ["Bytes", "Delivery", "Redis", "RESP", "System", "EventLoop", "COpenSSL"]),
        tests("Webhook", ["Webhook", "JSON"]),
        tests("Diagnosis", ["Bytes", "Diagnosis", "JSON", "Webhook"]),
        tests("Tenants", ["Tenants", "JSON", "System", "Webhook"]),
        tests(
            "Responder",
            ["Responder", "Bytes", "CLinux", "System", "EventLoop", "FastCGI", "Delivery", "Redis", "Webhook"]),
    ]
)

// Tests/fuzz sets it: libFuzzer brings its own main, and wants everything that it looks into instrumented.
if Context.environment["SERVICEDESK_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["Bytes", "JSON", "RESP", "FastCGI", "Webhook"], path: "Tests/fuzzing",
            sources: ["Fuzz.swift", "Mapping.swift"], swiftSettings: productSettings))
}
