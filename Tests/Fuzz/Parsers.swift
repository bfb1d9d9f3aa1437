import Files
import TestSupport
import WeightFiles

/// Something that reads bytes from outside. `attempt` may throw whatever it likes and must do nothing else:
/// a trap, a hang or a runaway allocation is what is looked for.
struct Parser: Sendable {
    let name: String
    /// Good inputs that mutations start from.
    let seeds: [[UInt8]]
    /// - Parameter path: a file to write to, where the parser reads files.
    let attempt: @Sendable (_ input: [UInt8], _ path: String) throws -> Void
}

/// Every parser of the program; a new one is a new row.
let parsers = weightParsers + modelParsers + listParsers + recipeParsers

/// Containers of tensors.
private let weightParsers: [Parser] = [
    Parser(name: "safetensors", seeds: [safetensorsSeed]) { input, path in try readAll(input, path) },
    Parser(name: "archive", seeds: archiveSeeds.map(\.bytes)) { input, path in try readAll(input, path) },
    // With the right checksums, so that mutations reach what they protect.
    Parser(name: "pickle", seeds: pickleSeeds) { input, path in
        try readAll(ZipBytes.torch(whole: input, [bytes([1, 2, 3, 4])]).bytes, path)
    },
    Parser(name: "torchscript", seeds: pickleSeeds) { input, path in
        var archive = ZipBytes.torch(whole: input, [bytes([1, 2, 3, 4])], script: true)
        archive["model/constants.pkl"].bytes = input
        try readAll(archive.bytes, path)
    },
    Parser(name: "shards", seeds: [indexSeed]) { input, path in
        let folder = path + ".folder"
        try createDirectory(folder)
        overwrite(folder + "/one.safetensors", with: safetensorsSeed)
        overwrite(folder + "/model.safetensors.index.json", with: input)
        _ = try openWeights(folder)
    },
]

private func readAll(_ input: [UInt8], _ path: String) throws {
    overwrite(path, with: input)
    let source = try openWeights(path)
    for tensor in source.tensors where tensor.elementType.isReadableAsFloat {
        _ = try source.floats(named: tensor.name)
    }
}

private typealias P = PickleBytes

private let safetensorsSeed: [UInt8] = {
    let header = "{\"__metadata__\":{\"k\":\"\\u0041\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        + "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[4,8]}}"
    return bytes(UInt64(header.utf8.count)) + Array(header.utf8) + [UInt8](repeating: 1, count: 8)
}()

private let indexSeed = Array(
    "{\"metadata\":{\"total_size\":8,\"x\":[1.5e3,null]},\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}".utf8)

private let tensor = P.tensor("0", stored: 4, shape: [2, 2], strides: [1, 2])

private let pickleSeeds: [[UInt8]] = [
    P.whole(P.dictionary([("a", tensor), ("epoch", P.integer(9)), ("rate", P.real(0.5)), ("half", P.yes)])),
    P.whole(
        P.dictionary([
            ("model", P.call("collections", "OrderedDict", []) + P.text("w") + tensor + P.setItem),
            ("config", P.global("yacs.config", "CfgNode") + P.emptyTuple + P.newObject + P.emptyDictionary + P.build),
            ("list", P.emptyList + P.put(0) + P.get(0) + P.append), ("set", P.call("__builtin__", "set", [P.emptyList])),
        ])),
    P.whole(
        P.global("__torch__", "A") + P.emptyTuple + P.newObject
            + P.dictionary([
                ("p", P.call("torch._utils", "_rebuild_parameter", [tensor, P.yes, P.none])),
                ("sizes", P.call("torch.jit._pickle", "build_intlist", [P.emptyList + P.integer(3) + P.append])),
            ]) + P.build),
]

private let archiveSeeds: [ZipBytes] = [
    .torch(P.dictionary([("a", tensor)]), [bytes([1, 2, 3, 4])]),
    .torch(P.dictionary([("a", tensor), ("b", P.tensor("1", count: 1))]), [bytes([1, 2, 3, 4]), bytes([5])], script: true),
]
