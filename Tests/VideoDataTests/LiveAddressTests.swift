import Testing
import VideoData

/// What is read live, and what is a file.
@Suite struct LiveAddressTests {
    @Test(arguments: [
        ("-", LiveAddress.Kind.standardInput), ("rtsp://h/x", .rtsp), ("RTSP://h:8554/x", .rtsp), ("http://h/x", .http), ("https://h/x.mp4?a=b.m3u8", .http),
        ("http://h/x.m3u8", .hls), ("https://h:8443/x/Y.M3U8?token=1", .hls), ("http://[::1]:8080/x", .http),
    ])
    func kinds(_ text: String, _ kind: LiveAddress.Kind) throws { #expect(try LiveAddress(text)?.kind == kind) }

    @Test(arguments: ["a.mp4", "/tmp/a.mp4", "./-", "--", "/dev/video", "/dev/videoX", "/dev/null", "a:b", "://x", "1a://x", "é://x", "C:/x"])
    func names(_ text: String) throws { #expect(try LiveAddress(text) == nil) }

    @Test(arguments: [
        ("ftp://h/x", LiveError.Problem.unknownScheme("ftp")), ("file:///etc/passwd", .unknownScheme("file")), ("concat://a", .unknownScheme("concat")),
        ("/dev/video4095", .noCamera), ("http://", .badAddress), ("http:///x", .badAddress), ("http://h:0/", .badAddress), ("http://h:99999/", .badAddress), ("http://h:8a/", .badAddress),
        ("http://h/a b", .badAddress), ("http://h/a\r\nX: y", .badAddress), ("rtsp://h/ä", .badAddress), ("http://[::1/", .badAddress),
    ])
    func refused(_ text: String, _ problem: LiveError.Problem) {
        #expect(throws: LiveError.self) { try LiveAddress(text) }
        do { _ = try LiveAddress(text) } catch { #expect(error.problem == problem) }
    }

    /// Passwords are shown to nobody.
    @Test(arguments: [
        ("rtsp://user:secret@h/x", "rtsp://user:***@h/x"), ("http://u:p@ss@h:80/x?y=@z", "http://u:***@h:80/x?y=@z"), ("http://user@h/x", "http://user@h/x"),
        ("http://h:80/a:b@c", "http://h:80/a:b@c"), ("-", "-"), ("rtsp://admin:123/4@cam/", "rtsp://admin:***@cam/"), ("RTSP://u:p@h/x", "rtsp://u:***@h/x"),
    ])
    func passwords(_ text: String, _ shown: String) throws { #expect(try LiveAddress(text)?.shown == shown) }

    /// Nor where their signs make the address none.
    @Test(arguments: ["rtsp://admin:pa#ss@cam/x", "http://admin:pa?ss@cam/x", "ftp://admin:pa/ss@cam/x"]) func passwordsOfBadAddresses(_ text: String) {
        let error = #expect(throws: LiveError.self) { try LiveAddress(text) }
        #expect(error?.source.hasSuffix("://admin:***@cam/x") == true)
    }

    @Test func schemesAreInLowerCase() throws { #expect(try LiveAddress("HTTP://H/X")?.text == "http://H/X") }
}

@Suite struct LatestQueueTests {
    @Test func theOldestMakesRoom() throws {
        let queue = LatestQueue<Int>(capacity: 2)
        for item in 0..<5 { queue.put(item, waits: false) }
        queue.finish()
        #expect(try queue.take() == 3)
        #expect(try queue.take() == 4)
        #expect(try queue.take() == nil)
        #expect(queue.droppedCount == 3)
    }

    @Test func errorsComeBehindItems() throws {
        let queue = LatestQueue<Int>(capacity: 2)
        queue.put(1, waits: true)
        queue.finish(.failure(VideoError(path: "a", problem: .empty)))
        queue.put(2, waits: true)
        #expect(try queue.take() == 1)
        #expect(throws: VideoError(path: "a", problem: .empty)) { try queue.take() }
    }
}
