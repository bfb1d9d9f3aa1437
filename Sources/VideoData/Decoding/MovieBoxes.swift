/// A box of an ISO base media file: MP4, MOV, HEIC and their kind. Source: ISO/IEC 14496-12, 4.2.
struct MovieBox {
    let kind: String
    /// Where its contents lie in the file.
    let body: Range<Int>
    /// It claims to go on beyond what holds it.
    let isCut: Bool
}

/// Reads headers of boxes and what little of their contents is needed.
struct MovieBoxes {
    private let source: MediaSource

    /// More boxes beside each other are not looked at.
    static let countLimit = 100_000

    init(_ source: MediaSource) { self.source = source }

    var wholeFile: Range<Int> { 0..<source.byteCount }

    /// Calls `body` with each box in `range`, until it returns false.
    func each(in range: Range<Int>, _ body: (MovieBox) throws(VideoError) -> Bool) throws(VideoError) {
        var offset = range.lowerBound
        for _ in 0..<Self.countLimit where offset + 8 <= range.upperBound {
            let head = try source.bytes(at: offset, count: 16)
            guard head.count >= 8 else { return }
            var length = Self.number(head[0..<4])
            var headCount = 8
            if length == 1 {
                guard head.count == 16 else { return }
                length = Self.number(head[8..<16])
                headCount = 16
            }
            if length == 0 { length = UInt64(range.upperBound - offset) }
            guard length >= headCount, let count = Int(exactly: length) else { return }
            let (end, overflow) = offset.addingReportingOverflow(count)
            let isCut = overflow || end > range.upperBound
            let bodyEnd = isCut ? range.upperBound : end
            let box = MovieBox(
                kind: String(decoding: head[4..<8], as: UTF8.self), body: min(offset + headCount, bodyEnd)..<bodyEnd, isCut: isCut)
            guard try body(box), !isCut else { return }
            offset = end
        }
    }

    /// The boxes that `path` leads to, one kind a level.
    func boxes(_ path: [String], in range: Range<Int>) throws(VideoError) -> [MovieBox] {
        guard let kind = path.first else { return [] }
        var found: [MovieBox] = []
        try each(in: range) { box throws(VideoError) in
            if box.kind == kind {
                if path.count == 1 { found.append(box) } else { found += try boxes(Array(path.dropFirst()), in: box.body) }
            }
            return true
        }
        return found
    }

    /// Bytes of a box's contents, fewer where it ends.
    func bytes(of box: MovieBox, from offset: Int = 0, count: Int) throws(VideoError) -> [UInt8] {
        let start = box.body.lowerBound + offset
        guard start < box.body.upperBound else { return [] }
        return try source.bytes(at: start, count: min(count, box.body.upperBound - start))
    }

    static func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}

/// What the boxes of a file say before any of it is decoded.
struct MovieOutline {
    private let boxes: MovieBoxes
    private let brand: String
    private let kinds: Set<String>
    private let moov: MovieBox?

    /// Boxes that such a file begins with.
    private static let firstKinds: Set<String> = [
        "ftyp", "styp", "moov", "moof", "sidx", "ssix", "mdat", "free", "skip", "wide", "pdin", "prft", "emsg", "uuid",
    ]

    /// - Returns: nil where the file is of another kind.
    init?(_ source: MediaSource, firstBytes: [UInt8]) throws(VideoError) {
        guard firstBytes.count >= 8, Self.firstKinds.contains(String(decoding: firstBytes[4..<8], as: UTF8.self)) else { return nil }
        let boxes = MovieBoxes(source)
        var kinds: Set<String> = []
        var moov: MovieBox?
        try boxes.each(in: boxes.wholeFile) { box in
            kinds.insert(box.kind)
            if box.kind == "moov", moov == nil { moov = box }
            // Nothing that follows matters.
            return moov == nil || !kinds.contains("moof")
        }
        self.boxes = boxes
        self.kinds = kinds
        self.moov = moov
        brand = kinds.contains("ftyp") && firstBytes.count >= 12 ? String(decoding: firstBytes[8..<12], as: UTF8.self) : ""
    }

    /// What the file is, where it is not a video that can be read.
    func problem() throws(VideoError) -> VideoError.Problem? {
        guard let moov else {
            if kinds.contains("moof") || kinds.contains("styp") && !kinds.contains("ftyp") || kinds.contains("sidx") && !kinds.contains("mdat") {
                return .segment
            }
            guard kinds.contains("meta") else { return nil }
            let names = ["avif": "an AVIF picture", "avis": "an AVIF picture", "mif1": "a HEIF picture", "miaf": "a HEIF picture"]
            let name = names[brand] ?? (brand.hasPrefix("he") ? "a HEIC picture" : nil)
            return name.map { .notVideo(what: $0 + " (a still)") }
        }
        guard !moov.isCut, !kinds.contains("moof"), try !boxes.boxes(["mvex"], in: moov.body).isEmpty else { return nil }
        for table in try boxes.boxes(["trak", "mdia", "minf", "stbl", "stsz"], in: moov.body) {
            let bytes = try boxes.bytes(of: table, from: 8, count: 4)
            guard bytes.allSatisfy({ $0 == 0 }) else { return nil }
        }
        return .initialization
    }

    // MARK: Encryption

    /// Video tracks whose samples are encrypted, with the name of the scheme. Source: ISO/IEC 23001-7 (Common Encryption).
    func encryptedTracks() throws(VideoError) -> [Int: String] {
        guard let moov else { return [:] }
        var result: [Int: String] = [:]
        for track in try boxes.boxes(["trak"], in: moov.body) {
            guard let header = try boxes.boxes(["tkhd"], in: track.body).first,
                let media = try boxes.boxes(["mdia"], in: track.body).first,
                let handler = try boxes.boxes(["hdlr"], in: media.body).first,
                try boxes.bytes(of: handler, from: 8, count: 4) == Array("vide".utf8)
            else { continue }
            let version = try boxes.bytes(of: header, count: 1).first ?? 0
            let identifier = Int(MovieBoxes.number(try boxes.bytes(of: header, from: version == 1 ? 20 : 12, count: 4)))
            for table in try boxes.boxes(["minf", "stbl"], in: media.body) {
                if let scheme = try encryption(in: table, of: identifier) { result[identifier] = scheme }
            }
        }
        return result
    }

    /// The scheme of the first sample description that says that its samples are encrypted.
    private func encryption(in table: MovieBox, of track: Int) throws(VideoError) -> String? {
        guard let descriptions = try boxes.boxes(["stsd"], in: table.body).first else { return nil }
        var scheme: String?
        // A version and a count of entries come first; an entry of video has 78 bytes before its boxes.
        let entries = min(descriptions.body.lowerBound + 8, descriptions.body.upperBound)..<descriptions.body.upperBound
        try boxes.each(in: entries) { entry throws(VideoError) in
            if entry.kind == "drmi" { scheme = "FairPlay" }
            guard entry.kind == "encv" else { return scheme == nil }
            let children = min(entry.body.lowerBound + 78, entry.body.upperBound)..<entry.body.upperBound
            let kind = try boxes.boxes(["sinf", "schm"], in: children).first
            var isEncrypted = true
            // Where the defaults leave samples clear, groups of them may still be encrypted.
            if let defaults = try boxes.boxes(["sinf", "schi", "tenc"], in: children).first,
                try boxes.bytes(of: defaults, from: 6, count: 1) == [0]
            {
                isEncrypted = try hasProtectedGroup(in: table, of: track)
            }
            guard isEncrypted else { return true }
            scheme = "Common Encryption"
            if let kind { scheme? += ", " + String(decoding: try boxes.bytes(of: kind, from: 4, count: 4), as: UTF8.self) }
            return false
        }
        return scheme
    }

    /// Whether groups of samples have keys although the track as a whole has none: sample groups `seig`, in the track
    /// or in its fragments.
    private func hasProtectedGroup(in table: MovieBox, of track: Int) throws(VideoError) -> Bool {
        var groups = try boxes.boxes(["sgpd"], in: table.body)
        for fragment in try boxes.boxes(["moof", "traf"], in: boxes.wholeFile) {
            guard let header = try boxes.boxes(["tfhd"], in: fragment.body).first,
                MovieBoxes.number(try boxes.bytes(of: header, from: 4, count: 4)) == UInt64(track)
            else { continue }
            groups += try boxes.boxes(["sgpd"], in: fragment.body)
        }
        for group in groups where try isProtected(group) { return true }
        return false
    }

    private func isProtected(_ group: MovieBox) throws(VideoError) -> Bool {
        let bytes = try boxes.bytes(of: group, count: 1 << 16)
        guard bytes.count >= 12, bytes[4..<8].elementsEqual("seig".utf8) else { return false }
        let version = bytes[0]
        var offset = 8
        var length = 0
        if version >= 1 {
            length = Int(MovieBoxes.number(bytes[8..<12]))
            offset = 12
        }
        if version >= 2 { offset = 12 }
        offset += 4  // The count of entries.
        while offset < bytes.count {
            var entryLength = length
            if version >= 1 && length == 0 {
                guard offset + 4 <= bytes.count else { return false }
                entryLength = Int(MovieBoxes.number(bytes[offset..<offset + 4]))
                offset += 4
            }
            guard offset + 2 < bytes.count else { return false }
            if bytes[offset + 2] == 1 { return true }
            // Without a length, and without a constant vector, an entry has 20 bytes.
            offset += max(entryLength, version == 0 ? 20 : 1)
        }
        return false
    }
}
