/// What the elements of a Matroska or WebM file say before any of it is decoded. Source: RFC 8794, RFC 9559.
struct MatroskaOutline {
    private let source: MediaSource
    /// The file begins with a cluster of pictures.
    private let isBare: Bool
    private var tracks: Range<Int>?
    private var hasCluster = false
    /// Every element up to the end of the file was seen.
    private var isWhole = false

    private enum Identifier {
        static let header: UInt64 = 0x1A45_DFA3
        static let segment: UInt64 = 0x1853_8067
        static let cluster: UInt64 = 0x1F43_B675
        static let tracks: UInt64 = 0x1654_AE6B
        static let trackEntry: UInt64 = 0xAE
        static let trackType: UInt64 = 0x83
        static let encodings: UInt64 = 0x6D80
        static let encoding: UInt64 = 0x6240
        static let encryption: UInt64 = 0x5035
        static let algorithm: UInt64 = 0x47E1
    }

    private struct Element {
        let identifier: UInt64
        let body: Range<Int>
        /// Its length is not known, or reaches beyond what holds it.
        let isOpen: Bool
    }

    /// - Returns: nil where the file is of another kind.
    init?(_ source: MediaSource, firstBytes: [UInt8]) throws(VideoError) {
        let start = MovieBoxes.number(firstBytes.prefix(4))
        guard firstBytes.count >= 4, start == Identifier.header || start == Identifier.cluster else { return nil }
        self.source = source
        isBare = start == Identifier.cluster
        guard !isBare else { return }
        var segment: Element?
        try each(in: 0..<source.byteCount) { element in
            if element.identifier == Identifier.segment { segment = element }
            return segment == nil
        }
        guard let segment else { return }
        var tracks: Range<Int>?
        var hasCluster = false
        var end = segment.body.lowerBound
        try each(in: segment.body) { element in
            if element.identifier == Identifier.tracks, !element.isOpen { tracks = element.body }
            if element.identifier == Identifier.cluster { hasCluster = true }
            if !element.isOpen { end = element.body.upperBound }
            return !hasCluster && !element.isOpen
        }
        self.tracks = tracks
        self.hasCluster = hasCluster
        isWhole = end == source.byteCount
    }

    var problem: VideoError.Problem? {
        if isBare { return .segment }
        return tracks != nil && !hasCluster && isWhole ? .initialization : nil
    }

    /// How the video is encrypted, where no video track is without.
    func encryption() throws(VideoError) -> String? {
        guard let tracks else { return nil }
        var videoCount = 0
        var scheme: String?
        var encryptedCount = 0
        try each(in: tracks) { entry throws(VideoError) in
            guard entry.identifier == Identifier.trackEntry else { return true }
            var isVideo = false
            var found: String?
            try each(in: entry.body) { field throws(VideoError) in
                if field.identifier == Identifier.trackType { isVideo = try number(field) == 1 }
                if field.identifier == Identifier.encodings { found = try encryption(in: field.body) ?? found }
                return true
            }
            if isVideo {
                videoCount += 1
                if let found {
                    encryptedCount += 1
                    scheme = found
                }
            }
            return true
        }
        return encryptedCount == videoCount ? scheme : nil
    }

    private func encryption(in encodings: Range<Int>) throws(VideoError) -> String? {
        let names: [UInt64: String] = [1: "DES", 2: "3DES", 3: "Twofish", 4: "Blowfish", 5: "AES"]
        var scheme: String?
        try each(in: encodings) { encoding throws(VideoError) in
            guard encoding.identifier == Identifier.encoding else { return true }
            try each(in: encoding.body) { field throws(VideoError) in
                guard field.identifier == Identifier.encryption else { return true }
                var algorithm: UInt64 = 0
                try each(in: field.body) { detail throws(VideoError) in
                    if detail.identifier == Identifier.algorithm { algorithm = try number(detail) }
                    return true
                }
                // 0 stands for contents that are only signed.
                if algorithm != 0 { scheme = "Matroska's ContentEncryption" + (names[algorithm].map { ", \($0)" } ?? "") }
                return true
            }
            return true
        }
        return scheme
    }

    private func number(_ element: Element) throws(VideoError) -> UInt64 {
        MovieBoxes.number(try source.bytes(at: element.body.lowerBound, count: min(8, element.body.count)))
    }

    /// Calls `body` with each element in `range`, until it returns false.
    private func each(in range: Range<Int>, _ body: (Element) throws(VideoError) -> Bool) throws(VideoError) {
        var offset = range.lowerBound
        for _ in 0..<10_000 where offset < range.upperBound {
            let head = try source.bytes(at: offset, count: 12)
            guard let first = head.first, first >= 0x10 else { return }
            let identifierCount = first.leadingZeroBitCount + 1
            guard head.count > identifierCount, head[identifierCount] != 0 else { return }
            let lengthCount = head[identifierCount].leadingZeroBitCount + 1
            let headCount = identifierCount + lengthCount
            guard head.count >= headCount else { return }
            let mask = UInt64.max >> UInt64(64 - 7 * lengthCount)
            let length = MovieBoxes.number(head[identifierCount..<headCount]) & mask
            let start = offset + headCount
            let isOpen = length == mask || length > UInt64(max(0, range.upperBound - start))
            let end = isOpen ? range.upperBound : start + Int(length)
            guard start <= end else { return }
            let identifier = MovieBoxes.number(head[0..<identifierCount])
            guard try body(Element(identifier: identifier, body: start..<end, isOpen: isOpen)) else { return }
            offset = end
        }
    }
}
