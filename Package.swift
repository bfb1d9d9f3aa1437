// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// oneDNN is taken where its header is: `libdnnl-dev` on Debian and Ubuntu, `$ONEDNN_ROOT` for one of your own.
/// SwiftPM remembers the answer: after installing it later, run `swift package purge-cache`, or build with
/// `--traits OneDNN`. `--disable-default-traits` builds without it.
let oneDNNRoot = Context.environment["ONEDNN_ROOT"]
let hasOneDNN = ([oneDNNRoot].compactMap(\.self) + ["/usr", "/usr/local"]).contains {
    FileManager.default.fileExists(atPath: "\($0)/include/oneapi/dnnl/dnnl.h")
}

/// Open MPI is taken where pkg-config knows its C library: `libopenmpi-dev` on Debian and Ubuntu, `module load mpi`
/// or `PKG_CONFIG_PATH` elsewhere. `--disable-default-traits` and `--traits MPI` decide as above.
let hasMPI = ((Context.environment["PKG_CONFIG_PATH"] ?? "").split(separator: ":").map(String.init)
    + ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"].map { $0 + "/pkgconfig" })
    .contains { FileManager.default.fileExists(atPath: "\($0)/ompi-c.pc") }

/// libmosquitto is taken where its header is: `libmosquitto-dev` on Debian and Ubuntu. `--disable-default-traits` and
/// `--traits MQTT` decide as above.
let hasMQTT = ["/usr", "/usr/local"].contains { FileManager.default.fileExists(atPath: "\($0)/include/mosquitto.h") }

/// Every target marks each use of unsafe memory with `unsafe`; forgetting one does not build.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
]

/// Tests that start the program or read its files compute nothing themselves: optimizing them takes minutes and saves nothing.
let unoptimized: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let package = Package(
    name: "vifi-prompt",
    products: [
        .library(name: "VifiPrompt", targets: ["VifiPrompt"]),
        .executable(name: "vifi-prompt", targets: ["vifi-prompt"]),
    ],
    traits: [
        .trait(name: "OneDNN", description: "bfloat16 products through oneDNN: --precision bf16."),
        .trait(name: "MPI", description: "learn and bridge on several machines through Open MPI: mpirun -n N vifi-prompt …"),
        .trait(name: "MQTT", description: "predict --mqtt: answers of live sources to a broker of MQTT, through libmosquitto."),
        .default(enabledTraits: Set((hasOneDNN ? ["OneDNN"] : []) + (hasMPI ? ["MPI"] : []) + (hasMQTT ? ["MQTT"] : []))),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // For `swift package generate-documentation` alone; no target depends on it.
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // System libraries and C.
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(
            name: "CFFmpeg",
            providers: [.apt(["libavformat-dev", "libavcodec-dev", "libavutil-dev", "libswscale-dev"])]),
        .systemLibrary(name: "CZimg", pkgConfig: "zimg", providers: [.apt(["libzimg-dev"])]),
        .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev", "libpango1.0-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPosix"),
        .target(name: "CKernels"),
        .target(
            name: "COneDNN", dependencies: ["CKernels"],
            cSettings: [.define("VIFI_ONEDNN", .when(traits: ["OneDNN"]))]
                + (oneDNNRoot.map { [.unsafeFlags(["-I\($0)/include"], .when(traits: ["OneDNN"]))] } ?? []),
            linkerSettings: [.linkedLibrary("dnnl", .when(traits: ["OneDNN"]))]
                + (oneDNNRoot.map { [.unsafeFlags(["-L\($0)/lib", "-Xlinker", "-rpath=\($0)/lib"], .when(traits: ["OneDNN"]))] } ?? [])),
        .systemLibrary(name: "OpenMPILibrary", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .target(
            name: "COpenMPI", dependencies: [.target(name: "OpenMPILibrary", condition: .when(traits: ["MPI"]))],
            cSettings: [.define("VIFI_MPI", .when(traits: ["MPI"]))]),
        .target(
            name: "CMosquitto", cSettings: [.define("VIFI_MQTT", .when(traits: ["MQTT"]))],
            linkerSettings: [.linkedLibrary("mosquitto", .when(traits: ["MQTT"]))]),

        // The library, lowest layer first. Each target names every module that it imports; a test compares.
        .target(name: "Files", dependencies: ["COpenSSL", "CPosix"], swiftSettings: strict),
        .target(name: "Tensors", dependencies: ["CKernels", "COneDNN", "COpenBLAS", "COpenMPI", "Files"], swiftSettings: strict),
        .target(
            name: "WeightFiles", dependencies: ["CKernels", "CZlib", "Files"], swiftSettings: strict),
        .target(name: "CLIPModel", dependencies: ["CZlib", "Files", "Tensors", "WeightFiles"], swiftSettings: strict),
        .target(name: "VideoData", dependencies: ["CFFmpeg", "CKernels", "CZimg", "Files", "Tensors"], swiftSettings: strict),
        .target(name: "Charts", dependencies: ["CCairo", "Files"], swiftSettings: strict),
        .target(name: "Evaluation", dependencies: ["CKernels", "CLIPModel", "Files", "Tensors", "VideoData"], swiftSettings: strict),
        .target(
            name: "Training",
            dependencies: ["CLIPModel", "Evaluation", "Files", "Tensors", "VideoData", "WeightFiles"], swiftSettings: strict),
        .target(name: "Methods", dependencies: ["CLIPModel", "Files", "Tensors"], swiftSettings: strict),
        .target(name: "Recipes", dependencies: ["CLIPModel", "Files", "Tensors", "VideoData", "Yams"], swiftSettings: strict),
        .target(
            name: "Experiments",
            dependencies: ["CLIPModel", "CMosquitto", "Evaluation", "Files", "Methods", "Recipes", "Tensors", "Training", "VideoData", "WeightFiles"],
            swiftSettings: strict),
        .target(
            name: "Reports",
            dependencies: ["CLIPModel", "Charts", "Evaluation", "Experiments", "Files", "Recipes", "Tensors", "Training", "VideoData"],
            swiftSettings: strict),
        .target(
            name: "VifiPrompt", dependencies: ["CLIPModel", "Evaluation", "Experiments", "Files", "Recipes", "Tensors", "Training", "VideoData"], swiftSettings: strict),
        // The files of the page that the server shows, inside the program.
        .target(name: "CPage", exclude: ["page"]),
        .target(
            name: "Serve",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                "CLIPModel", "CPage", "Charts", "Evaluation", "Experiments", "Files", "Recipes", "Tensors", "Training", "VideoData",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "vifi-prompt",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "Logging", package: "swift-log"),
                "CLIPModel", "Charts", "Evaluation", "Experiments", "Files", "Recipes", "Reports", "Serve", "Tensors", "Training", "VideoData", "WeightFiles",
            ],
            swiftSettings: strict),

        // Tests mirror Sources.
        .target(name: "TestSupport", dependencies: ["Files", "Tensors", "WeightFiles"], path: "Tests/TestSupport"),
        // Feeds mutated inputs to every parser; `make fuzz`.
        .executableTarget(
            name: "vifi-fuzz", dependencies: ["CLIPModel", "Files", "Recipes", "Tensors", "TestSupport", "VideoData", "WeightFiles"],
            path: "Tests/Fuzz",
            exclude: ["differential.py"]),
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
        .testTarget(name: "WeightFilesTests", dependencies: ["Files", "TestSupport", "WeightFiles"]),
        .testTarget(name: "ChartsTests", dependencies: ["Charts", "Files", "TestSupport"]),
        .testTarget(name: "CLIPModelTests", dependencies: ["CLIPModel", "CZlib", "Files", "Tensors", "TestSupport", "WeightFiles"]),
        .testTarget(name: "EvaluationTests", dependencies: ["Evaluation", "Files", "Tensors", "TestSupport", "VideoData"]),
        .testTarget(name: "TrainingTests", dependencies: ["CLIPModel", "Evaluation", "Files", "Tensors", "TestSupport", "Training", "VideoData"]),
        .testTarget(name: "MethodsTests", dependencies: ["CLIPModel", "Files", "Methods", "Tensors", "TestSupport"]),
        .testTarget(name: "VideoDataTests", dependencies: ["Files", "Tensors", "TestSupport", "VideoData"]),
        .testTarget(name: "VifiPromptTests", dependencies: ["CLIPModel", "Evaluation", "Files", "Tensors", "TestSupport", "VideoData", "VifiPrompt"]),
        .testTarget(
            name: "RecipeTests",
            dependencies: ["CLIPModel", "Evaluation", "Experiments", "Files", "Recipes", "Reports", "TestSupport", "Training", "VideoData"],
            swiftSettings: unoptimized),
        // Talks to the built program over HTTP, and looks at its page in a browser.
        .testTarget(
            name: "ServeTests", dependencies: ["CLIPModel", "Files", "Serve", "Tensors", "TestSupport", "VideoData", "vifi-prompt"],
            swiftSettings: unoptimized),
        // Runs the built program as a process.
        .testTarget(
            name: "CommandTests", dependencies: ["CLIPModel", "Experiments", "Files", "Tensors", "TestSupport", "VideoData", "WeightFiles", "vifi-prompt"],
            swiftSettings: unoptimized),
    ]
)
