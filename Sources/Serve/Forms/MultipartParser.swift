/// Takes a body of multipart/form-data apart as it comes, in whatever pieces (RFC 7578, on RFC 2046, section 5.1).
///
/// Lines end in CRLF and nothing else. What stands before the first boundary and behind the line of the last one is passed
/// over. No more is kept than may belong to a boundary or to the head of a part: contents are handed on as they come.
package struct MultipartParser {
    package enum Event: Equatable, Sendable {
        case begin(MultipartHead)
        /// Of the part that has begun last.
        case bytes([UInt8])
        case end
    }

    private enum State {
        case preamble
        /// Behind a boundary, on its line.
        case boundary
        /// The first bytes of it are known not to hold its end: it may come byte by byte.
        case head(searched: Int)
        /// The empty line behind a head, which belongs to a boundary at once where the part is empty.
        case emptyLine
        case content
        /// Behind the last boundary, on its line.
        case lastBoundary
        case epilogue
    }

    /// Of a part's head.
    package static let headBytes = 8 << 10
    /// Blanks between a boundary and the end of its line.
    private static let paddingBytes = 256

    private static let lineEnd: [UInt8] = [13, 10]
    private static let headEnd: [UInt8] = [13, 10, 13, 10]
    private static let (space, tab, hyphen) = (UInt8(ascii: " "), UInt8(9), UInt8(ascii: "-"))

    /// The end of the line before it belongs to a boundary.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// What has come and has not been told. It begins with the line end that a boundary at the very start lacks.
    private var pending = Self.lineEnd

    /// - Precondition: `boundary` is one by `isBoundary`.
    package init(boundary: String) {
        precondition(Self.isBoundary(boundary), "a boundary that nobody checked")
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    private static let boundaryBytes = Set("'()+_,-./:=? 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// RFC 2046, section 5.1.1: 1 to 70 of some characters, and no space at the end.
    package static func isBoundary(_ text: String) -> Bool {
        (1...70).contains(text.utf8.count) && text.utf8.allSatisfy(boundaryBytes.contains) && text.utf8.last != space
    }

    /// - Parameter bytes: that come next.
    /// - Returns: what they tell, in order.
    package mutating func take(_ bytes: [UInt8]) throws(MultipartFault) -> [Event] {
        pending += bytes
        var events: [Event] = []
        var step = (place: 0, goesOn: true)
        while step.goesOn { step = try self.step(from: step.place, &events) }
        pending.removeFirst(step.place)
        return events
    }

    /// - Throws: `MultipartFault.truncated` where the last boundary has not come.
    package func finish() throws(MultipartFault) {
        switch state {
        case .lastBoundary, .epilogue: return
        case .preamble, .boundary, .head, .emptyLine, .content: throw .truncated
        }
    }

    /// - Returns: where in `pending` the next step begins, and whether it can be made with what has come.
    private mutating func step(from place: Int, _ events: inout [Event]) throws(MultipartFault) -> (place: Int, goesOn: Bool) {
        switch state {
        case .preamble, .content:
            let found = index(of: delimiter, from: place)
            // What may be the start of a boundary waits for the rest of it.
            let end = found ?? max(place, pending.count - delimiter.count + 1)
            if case .content = state {
                if end > place { events.append(.bytes(Array(pending[place..<end]))) }
                if found != nil { events.append(.end) }
            }
            guard found != nil else { return (end, false) }
            state = .boundary
            return (end + delimiter.count, true)
        case .boundary:
            guard pending.count - place >= 2 else { return (place, false) }
            if pending[place] == Self.hyphen, pending[place + 1] == Self.hyphen {
                state = .lastBoundary
                return (place + 2, true)
            }
            guard let next = try endOfLine(from: place) else { return (place, false) }
            state = .head(searched: 0)
            return (next, true)
        case .head(let searched):
            if pending[place...].starts(with: Self.lineEnd) { throw .noDisposition }
            let end = index(of: Self.headEnd, from: place + searched)
            guard (end ?? pending.count) - place <= Self.headBytes else { throw .longHead(limit: Self.headBytes) }
            guard let end else {
                state = .head(searched: max(0, pending.count - place - Self.headEnd.count + 1))
                return (place, false)
            }
            events.append(.begin(try MultipartHead(pending[place..<end])))
            state = .emptyLine
            return (end + 2, true)
        case .emptyLine:
            let come = pending[place...].prefix(delimiter.count)
            if come.elementsEqual(delimiter.prefix(come.count)) {
                guard come.count == delimiter.count else { return (place, false) }
                events.append(.end)
                state = .boundary
                return (place + delimiter.count, true)
            }
            state = .content
            return (place + Self.lineEnd.count, true)
        case .lastBoundary:
            guard let next = try endOfLine(from: place) else { return (place, false) }
            state = .epilogue
            return (next, true)
        case .epilogue: return (pending.count, false)
        }
    }

    private func index(of mark: [UInt8], from place: Int) -> Int? {
        var index = place
        while index + mark.count <= pending.count {
            if pending[index] == mark[0], pending[index..<index + mark.count].elementsEqual(mark) { return index }
            index += 1
        }
        return nil
    }

    /// Where the line behind a boundary ends; nil where that has not come.
    private func endOfLine(from place: Int) throws(MultipartFault) -> Int? {
        var end = place
        while end < pending.count, pending[end] == Self.space || pending[end] == Self.tab { end += 1 }
        let come = pending[end...].prefix(2)
        guard end - place <= Self.paddingBytes, come.elementsEqual(Self.lineEnd.prefix(come.count)) else { throw .textBehindBoundary }
        return come.count == 2 ? end + 2 : nil
    }
}

/// What the head of a part says of it.
package struct MultipartHead: Equatable, Sendable {
    package let name: String
    /// As its owner calls the file, without folders; nil for what is no file, empty where it has no name.
    package let fileName: String?

    package init(name: String, fileName: String?) {
        self.name = name
        self.fileName = fileName
    }

    /// - Parameter bytes: the lines, without the end of the last one.
    fileprivate init(_ bytes: ArraySlice<UInt8>) throws(MultipartFault) {
        var disposition: HeaderParameters?
        for line in bytes.split(separator: [13, 10]) {
            // A line end in halves, or one that continues the line before, is read differently by different programs.
            guard !line.contains(where: { $0 < 32 && $0 != 9 || $0 == 127 }), let text = String(validating: line, as: UTF8.self),
                let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon != text.startIndex, text.utf8[..<colon].allSatisfy(HeaderParameters.isTokenByte)
            else { throw .badHead }
            let value = String(text[text.index(after: colon)...])
            switch text[..<colon].lowercased() {
            case "content-disposition":
                guard disposition == nil, let found = HeaderParameters(value) else { throw .badHead }
                disposition = found
            case "content-type":
                if HeaderParameters(value)?.value.hasPrefix("multipart/") ?? true { throw .nested }
            case "content-transfer-encoding", "content-encoding":
                let encoding = HeaderParameters(value)?.value ?? ""
                guard ["binary", "8bit", "7bit", "identity"].contains(encoding) else { throw .encoded(String(encoding.prefix(40))) }
            default: break
            }
        }
        guard let disposition, disposition.value == "form-data" else { throw .noDisposition }
        guard let name = disposition["name"], !name.isEmpty else { throw .noName }
        self.name = Self.decoded(name)
        fileName = disposition["filename"].map { Self.decoded($0) }.map { name in
            name.utf8.lastIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.map { String(name[name.index(after: $0)...]) } ?? name
        }
    }

    /// As browsers write quotes in names (WHATWG HTML, section 4.10.21.8). Line ends, which they write in such a way, too, have
    /// no place in any name here.
    private static func decoded(_ text: String) -> String { text.replacing("%22", with: "\"") }
}

/// Why a body is no form, or one that is not taken.
package enum MultipartFault: Error, Equatable {
    case truncated
    case textBehindBoundary
    case longHead(limit: Int)
    case badHead
    case noDisposition
    case noName
    case nested
    case encoded(String)

    var fault: RequestFault {
        switch self {
        case .truncated: RequestFault(.badRequest, "The form ended before its last boundary: it is not whole. Send it again.")
        case .textBehindBoundary:
            RequestFault(.badRequest, "A boundary of the form is followed by something else than the end of its line, CRLF. Choose a boundary that is in none of the parts.")
        case .longHead(let limit): RequestFault(.badRequest, "The head of a part of the form is longer than \(limit) bytes.")
        case .badHead: RequestFault(.badRequest, "The head of a part of the form cannot be read. Its lines are UTF-8, such as Content-Disposition: form-data; name=\"top\", and end in CRLF.")
        case .noDisposition: RequestFault(.badRequest, "A part of the form does not say Content-Disposition: form-data.")
        case .noName: RequestFault(.badRequest, "A part of the form has no name.")
        case .nested: RequestFault(.unsupported, "A part of the form is a multipart of its own, which is not taken: send each value as a part of the form.")
        case .encoded(let encoding): RequestFault(.unsupported, "A part of the form is encoded as \(encoding.isEmpty ? "something unknown" : encoding), which is not taken: send the bytes as they are.")
        }
    }
}
