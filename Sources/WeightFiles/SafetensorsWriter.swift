import Files

/// Writes named tensors to a safetensors file, one after the other, so that only one need be in
/// memory. The file appears when `commit` returns, whole or not at all.
///
/// The same tensors and metadata always give the same bytes: wider elements first, then by name, as
/// the reference implementation orders them; metadata by key; the header padded with spaces to a
/// multiple of 8.
///
///     var writer = try SafetensorsWriter(path: path, tensors: plans, metadata: ["format": "1"])
///     for plan in writer.plans { try writer.append(values(plan.name)) }
///     let digest = try writer.commit()
package struct SafetensorsWriter: ~Copyable {
    /// A tensor to be written.
    package struct Plan: Sendable, Equatable {
        package let name: String
        package let shape: [Int]
        package let elementType: ElementType

        /// - Parameter elementType: `.float32`, or `.float16` or `.bfloat16` to round.
        package init(name: String, shape: [Int], elementType: ElementType = .float32) {
            precondition([.float32, .float16, .bfloat16].contains(elementType), "only F32, F16 and BF16 are written")
            self.name = name
            self.shape = shape
            self.elementType = elementType
        }
    }

    /// The tensors in the order in which `append` needs them.
    package let plans: [Plan]
    package let path: String
    private var file: DurableFile
    private var appendedCount = 0

    /// Writes the header, after reading it back as a reader would.
    package init(path: String, tensors: [Plan], metadata: [String: String] = [:]) throws(WeightFileError) {
        let plans = tensors.sorted {
            ($1.elementType.byteCount, $0.name) < ($0.elementType.byteCount, $1.name)
        }
        let (json, dataByteCount) = try Self.header(plans: plans, metadata: metadata, path: path)
        // A file that the reader would refuse is never written.
        _ = try SafetensorsHeader(json: json, path: path, dataByteCount: dataByteCount)
        file = try Self.file(path: path, json: json, dataByteCount: dataByteCount)
        self.path = path
        self.plans = plans
    }

    /// The file with its header written.
    private static func file(
        path: String, json: [UInt8], dataByteCount: Int
    ) throws(WeightFileError) -> DurableFile {
        do {
            var file = try DurableFile(path: path, expectedByteCount: 8 + json.count + dataByteCount)
            try file.write((0..<8).map { UInt8(truncatingIfNeeded: json.count >> ($0 * 8)) } + json)
            return file
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
    }

    /// Writes all tensors at once. Returns the file's SHA-256.
    @discardableResult
    package static func write(
        _ tensors: [(name: String, shape: [Int], values: [Float])], metadata: [String: String] = [:],
        to path: String, elementType: ElementType = .float32
    ) throws(WeightFileError) -> String {
        let plans = tensors.map { Plan(name: $0.name, shape: $0.shape, elementType: elementType) }
        var writer = try SafetensorsWriter(path: path, tensors: plans, metadata: metadata)
        // Names are unique: the writer has refused duplicates.
        let values = Dictionary(tensors.map { ($0.name, $0.values) }, uniquingKeysWith: { first, _ in first })
        for plan in writer.plans { try writer.append(values[plan.name] ?? []) }
        return try writer.commit()
    }

    /// Writes the next tensor of `plans`.
    ///
    /// - Precondition: as many values as its shape says.
    /// - Throws: `notRepresentable` where a finite value exceeds the range of F16.
    package mutating func append(_ values: UnsafeBufferPointer<Float>) throws(WeightFileError) {
        precondition(appendedCount < plans.count, "all tensors are written already")
        let plan = plans[appendedCount]
        precondition(values.count == plan.shape.reduce(1, *), "the values must fit the shape of \(plan.name)")
        if plan.elementType == .float32 {
            try unsafe write(UnsafeRawBufferPointer(values))
        } else {
            try unsafe appendRounded(values, plan: plan)
        }
        appendedCount += 1
    }

    package mutating func append(_ values: [Float]) throws(WeightFileError) {
        do {
            try unsafe values.withUnsafeBufferPointer { try unsafe append($0) }
        } catch {
            throw asWeightFileError(error, path: path)
        }
    }

    /// Makes the file visible. Returns its SHA-256.
    ///
    /// - Precondition: every tensor of `plans` has been appended.
    @discardableResult
    package consuming func commit() throws(WeightFileError) -> String {
        precondition(appendedCount == plans.count, "\(plans.count - appendedCount) tensors are still missing")
        let path = path
        do { return try file.commit() } catch { throw WeightFileError(path: path, problem: .file(error)) }
    }

    // MARK: -

    private mutating func appendRounded(_ values: UnsafeBufferPointer<Float>, plan: Plan) throws(WeightFileError) {
        var start = 0
        while start < values.count {
            let piece = unsafe values[start..<min(start + 1 << 18, values.count)]
            if plan.elementType == .float16, let value = unsafe piece.first(where: { $0.isFinite && $0.magnitude >= 65_520 }) {
                throw WeightFileError(
                    path: path, problem: .notRepresentable(tensor: plan.name, value: value, elementType: .float16))
            }
            let rounded = unsafe piece.map { (plan.elementType == .float16 ? $0.float16Bits : $0.bfloat16Bits).littleEndian }
            do {
                try unsafe rounded.withUnsafeBytes { try unsafe write($0) }
            } catch {
                throw asWeightFileError(error, path: path)
            }
            start += rounded.count
        }
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) throws(WeightFileError) {
        do {
            try unsafe file.write(bytes)
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
    }

    private static func header(
        plans: [Plan], metadata: [String: String], path: String
    ) throws(WeightFileError) -> (json: [UInt8], dataByteCount: Int) {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\($0.key.quotedForJSON):\($0.value.quotedForJSON)" }
            members.append("\"\(SafetensorsHeader.metadataName)\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for plan in plans {
            guard let count = checkedElementCount(shape: plan.shape, elementByteCount: plan.elementType.byteCount),
                case let (end, overflow) = offset.addingReportingOverflow(count * plan.elementType.byteCount), !overflow
            else {
                throw WeightFileError(path: path, problem: .sizeOverflow(tensor: plan.name, shape: plan.shape))
            }
            let shape = plan.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(plan.name.quotedForJSON):{\"dtype\":\"\(plan.elementType.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        json += [UInt8](repeating: 0x20, count: (8 - json.count % 8) % 8)
        return (json, offset)
    }
}
