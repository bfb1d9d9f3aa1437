import Foundation
import Serve
import TestSupport
import Testing

/// Forms are taken apart in the same way in whatever pieces they come.
@Suite struct MultipartTests {
    private struct Part: Equatable {
        let head: MultipartHead
        var bytes: [UInt8] = []

        init(_ name: String, fileName: String? = nil, _ bytes: [UInt8] = []) {
            head = MultipartHead(name: name, fileName: fileName)
            self.bytes = bytes
        }

        init(_ head: MultipartHead) { self.head = head }
    }

    /// The parts of a body that comes in pieces.
    private func parts(_ pieces: [[UInt8]], boundary: String) throws -> [Part] {
        var parser = MultipartParser(boundary: boundary)
        var parts: [Part] = []
        var isOpen = false
        for event in try pieces.flatMap({ try parser.take($0) }) {
            switch event {
            case .begin(let head):
                #expect(!isOpen)
                parts.append(Part(head))
                isOpen = true
            case .bytes(let bytes):
                #expect(isOpen && !bytes.isEmpty)
                parts[parts.count - 1].bytes += bytes
            case .end:
                #expect(isOpen)
                isOpen = false
            }
        }
        try parser.finish()
        return parts
    }

    private func parts(_ text: String, boundary: String = "b") throws -> [Part] { try parts([Array(text.utf8)], boundary: boundary) }

    /// In two pieces, cut at every byte, and byte by byte.
    @Test(arguments: ["curl", "requests", "undici"])
    func formsOfOthersAreReadInAnyPieces(_ writer: String) throws {
        let request = try Data(contentsOf: URL(fileURLWithPath: fixturePath("multipart/\(writer).http")))
        let video = try [UInt8](Data(contentsOf: URL(fileURLWithPath: fixturePath("multipart/video.bin"))))
        let end = try #require(request.range(of: Data("\r\n\r\n".utf8)))
        let head = String(decoding: request[..<end.lowerBound], as: UTF8.self)
        let boundary = String(try #require(head.firstMatch(of: #/boundary=([^\r\n]+)/#)).1)
        #expect(MultipartParser.isBoundary(boundary))
        let body = [UInt8](request[end.upperBound...])
        let expected = [
            Part("prompts", Array("mine".utf8)), Part("classes", Array("walking,späte Läufe".utf8)), Part("none", Array("a tree".utf8)),
            Part("none", Array("a \"car\"\r\nin the rain".utf8)), Part("top"), Part("video", fileName: "clip \"ä\" 1.mp4", video),
        ]
        #expect(try parts([body], boundary: boundary) == expected)
        #expect(try parts(body.map { [$0] }, boundary: boundary) == expected)
        for place in 1..<body.count {
            let pieces = [Array(body[..<place]), Array(body[place...])]
            #expect(try parts(pieces, boundary: boundary) == expected, "cut at \(place)")
        }
        // Cut off anywhere before its last boundary, it is not whole; that boundary's own line end may lack.
        for count in 0..<body.count {
            let whole = count >= body.count - 2
            #expect((try? parts([Array(body[..<count])], boundary: boundary)) == (whole ? expected : nil), "\(count) bytes")
        }
    }

    private static let start = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"

    /// RFC 2046, section 5.1: what the recorded ones do not show.
    @Test func rarerFormsAreRead() throws {
        let one = [Part("a", [49])]
        let bodies = [
            Self.start + "1\r\n--b--", Self.start + "1\r\n--b-- \t\r\nepilogue\r\n--b\r\n", "preamble --b\r\n\r\n" + Self.start + "1\r\n--b--\r\n",
            "--b \t\r\ncontent-DISPOSITION:form-data ;; NAME=\"a\";other=x \r\nX-A: b\r\n\r\n1\r\n--b--\r\n",
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BINARY\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--\r\n",
        ]
        for body in bodies { #expect(try parts(body) == one, "\(body)") }
        // Nothing, a line end, and no line at all.
        #expect(try parts(Self.start + "\r\n--b--\r\n") == [Part("a")])
        #expect(try parts(Self.start + "\r\n\r\n--b--\r\n") == [Part("a", [13, 10])])
        #expect(try parts(Self.start + "--b--\r\n") == [Part("a")])
        #expect(try parts("--b--\r\n") == [])
        // A line feed alone ends no line.
        #expect(try parts(Self.start + "1\n--b\n\r--b--\r\r\n--b--\r\n") == [Part("a", Array("1\n--b\n\r--b--\r".utf8))])
        let names = [
            (#"name="a"; filename="C:\clips\x.mp4""#, "x.mp4"), (#"name="a"; filename="../../etc/x.mp4""#, "x.mp4"), (#"name="a"; filename="a \"b\" \\c""#, "c"),
            (#"name="a"; filename="""#, ""), (#"name="a"; filename=x=1/2.mp4"#, "2.mp4"), (#"name="a"; filename="a;b=c""#, "a;b=c"),
        ]
        for (parameters, name) in names {
            #expect(try parts("--b\r\nContent-Disposition: form-data; \(parameters)\r\n\r\n\r\n--b--").first?.head.fileName == name, "\(parameters)")
        }
    }

    @Test func whatIsNoFormIsRefused() throws {
        func head(_ lines: String) -> String { "--b\r\n\(lines)\r\n\r\n1\r\n--b--\r\n" }
        let disposition = "Content-Disposition: form-data; name=a"
        let cases: [(String, MultipartFault)] = [
            ("", .truncated), ("text alone", .truncated), ("--b", .truncated), ("--b\r\n", .truncated), (Self.start + "1", .truncated), (Self.start + "1\r\n--b", .truncated),
            (Self.start + "1\r\n--b-", .truncated), (Self.start + "1\r\n--b\r\n" + disposition, .truncated), (Self.start + "1\n--b--\n", .truncated),
            (Self.start + "1\r\n--bc--\r\n", .textBehindBoundary), (Self.start + "1\r\n--b--c", .textBehindBoundary), (Self.start + "1\r\n--b\n--b--", .textBehindBoundary),
            (Self.start + "1\r\n--b--\n", .textBehindBoundary), ("--b" + String(repeating: " ", count: 300), .textBehindBoundary),
            ("--b\r\n\r\n1\r\n--b--", .noDisposition), (head("X-A: b"), .noDisposition), (head("Content-Disposition: attachment; name=a"), .noDisposition),
            (head("Content-Disposition: form-data"), .noName), (head("Content-Disposition: form-data; name=\"\""), .noName), (head("Content-Disposition: form-data; filename=x"), .noName),
            (head(disposition + "\r\n" + disposition), .badHead), (head("Content-Disposition: form-data; name=a; name=b"), .badHead), (head("Content-Disposition: form-data; name"), .badHead),
            (head("Content-Disposition: form-data; name=\"a"), .badHead), (head("Content-Disposition: form-data;\r\n name=a"), .badHead), (head("Content-Disposition : form-data; name=a"), .badHead),
            (head(disposition + "\nX-A: b"), .badHead), (head(disposition + "\r\nno header"), .badHead), (head(disposition + "\r\nX-A: \u{0}"), .badHead), (head(disposition + "\r\n: b"), .badHead),
            (head(disposition + "\r\nContent-Type: multipart/mixed; boundary=c"), .nested), (head(disposition + "\r\nContent-Transfer-Encoding: base64"), .encoded("base64")),
            (head(disposition + "\r\nContent-Transfer-Encoding: quoted-printable"), .encoded("quoted-printable")), (head(disposition + "\r\nContent-Encoding: gzip"), .encoded("gzip")),
            (head(disposition + "\r\nX-A: " + String(repeating: "b", count: MultipartParser.headBytes)), .longHead(limit: MultipartParser.headBytes)),
            ("--b\r\nX-A: " + String(repeating: "b", count: MultipartParser.headBytes), .longHead(limit: MultipartParser.headBytes)),
        ]
        for (body, fault) in cases {
            #expect(throws: fault, "\(body.prefix(200))") { try parts(body) }
            #expect(throws: fault, "byte by byte: \(body.prefix(200))") { try parts(body.utf8.map { [$0] }, boundary: "b") }
        }
        var latin = Array("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"".utf8)
        latin += [0xE4] + Array("\"\r\n\r\n1\r\n--b--".utf8)
        #expect(throws: MultipartFault.badHead) { try parts([latin], boundary: "b") }
    }

    @Test func boundariesAreChecked() {
        for text in ["b", "----WebKitFormBoundaryABC123", "gc0p4Jq0M:2Yt08j34c0p", "a b", String(repeating: "x", count: 70), "'()+_,-./:=?"] { #expect(MultipartParser.isBoundary(text), "\(text)") }
        for text in ["", "b ", String(repeating: "x", count: 71), "ä", "a\r\n", "a;b", "a\"b", "a*b", "a@b"] { #expect(!MultipartParser.isBoundary(text), "\(text)") }
    }

    /// Nothing of a long part is kept but what may belong to a boundary.
    @Test func contentsAreHandedOnAsTheyCome() throws {
        var parser = MultipartParser(boundary: "b")
        _ = try parser.take(Array(Self.start.utf8))
        var count = 0
        for index in 0..<64 {
            for event in try parser.take([UInt8](repeating: UInt8(index), count: 1 << 10)) {
                if case .bytes(let bytes) = event { count += bytes.count }
            }
            #expect((index + 1) << 10 - count <= "\r\n--b".utf8.count)
        }
    }
}
