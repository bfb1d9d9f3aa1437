/// Names of a checkpoint's tensors without the modules that training wraps around others: `torch.compile`, FSDP,
/// activation checkpointing, and `DataParallel` around one tower or block.
struct TensorNames {
    /// In the order of the source.
    let plain: [String]
    /// By plain names; only of those that are stored otherwise.
    private let storedNames: [String: String]

    private static let wrappers: Set<String> = [
        "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module", "_forward_module",
    ]
    /// `module` is a prefix like any other at the start of a name; behind one of these it wraps.
    private static let parallelWrapper = "module"
    private static let wrapped: Set<String> = [
        "visual", "text", "transformer", "image_encoder", "text_encoder", "vision_model", "text_model", "encoder",
    ]

    init(_ stored: [String]) {
        let unwrapped = stored.map(Self.unwrapped)
        var counts: [String: Int] = [:]
        if unwrapped.contains(where: { $0 != nil }) {
            for (name, plain) in zip(stored, unwrapped) { counts[plain ?? name, default: 0] += 1 }
        }
        var plain: [String] = []
        var storedNames: [String: String] = [:]
        for (name, short) in zip(stored, unwrapped) {
            // Where both are there it cannot be told which is meant: each keeps its name.
            guard let short, counts[short] == 1 else {
                plain.append(name)
                continue
            }
            plain.append(short)
            storedNames[short] = name
        }
        self.plain = plain
        self.storedNames = storedNames
    }

    /// The name as the source has it.
    func stored(_ plain: String) -> String { storedNames[plain] ?? plain }

    /// nil where nothing is wrapped.
    static func unwrapped(_ name: String) -> String? {
        var kept: [Substring] = []
        var isChanged = false
        for part in name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            let word = Substring(part)
            if word.utf8.first == UInt8(ascii: "_") || word.utf8.first == UInt8(ascii: "m") {
                let text = String(word)
                let isParallel = text == parallelWrapper && kept.last.map { wrapped.contains(String($0)) || Int($0) != nil } ?? false
                if isParallel || wrappers.contains(text) {
                    isChanged = true
                    continue
                }
            }
            kept.append(word)
        }
        return isChanged ? kept.joined(separator: ".") : nil
    }
}

extension String {
    /// Whether the name is `ending` or ends in a dot and `ending`. By bytes: names may be many and long.
    func ends(inName ending: String) -> Bool {
        let (own, other) = (utf8.count, ending.utf8.count)
        guard own >= other, utf8.suffix(other).elementsEqual(ending.utf8) else { return false }
        return own == other || utf8.dropLast(other).last == UInt8(ascii: ".")
    }

    func starts(withName prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}
