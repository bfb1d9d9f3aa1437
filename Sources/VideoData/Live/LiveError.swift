import Files

/// Why a live source cannot be opened, or broke off.
package struct LiveError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case unknownScheme(String)
        /// No device has the name of a camera.
        case noCamera
        /// FFmpeg's library for cameras is not installed.
        case noCameraLibrary(package: String)
        case badAddress
        /// FFmpeg's own words.
        case cannotOpen(reason: String)
        /// Nothing came for so many seconds.
        case silent(seconds: Double)
        case brokenOff(reason: String)
        /// What came is no video that is read, or a playlist that was not asked for.
        case notVideo
        case noPictures
        case otherOrigin(String)
        case nothing
        case video(VideoError.Problem)
        /// Reading was asked to end.
        case stopped
    }

    /// Without a password.
    package let source: String
    package let problem: Problem

    package init(source: String, problem: Problem) {
        self.source = source
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .unknownScheme, .badAddress: .usage
        case .cannotOpen, .noCamera: .missingInput
        case .noCameraLibrary: .unavailable
        case .silent, .brokenOff: .inputOutput
        case .notVideo, .noPictures, .otherOrigin, .nothing: .badData
        case .video(let problem): VideoError(path: source, problem: problem).exitStatus
        case .stopped: .interrupted
        }
    }

    /// Whether it may be there again after a while.
    package var mayPass: Bool {
        switch problem {
        case .silent, .brokenOff, .cannotOpen: true
        default: false
        }
    }

    package var description: String {
        let name = source == "-" ? "standard input" : source.escapedForDisplay
        return switch problem {
        case .unknownScheme(let scheme):
            "\(name): '\(scheme.escapedForDisplay)' is no kind of source that is read live (rtsp, http, https). Let another program read it: "
                + "ffmpeg -i URL -c copy -f matroska - | vifi-prompt predict -"
        case .noCamera:
            "\(name): there is no such camera. `ls /dev/video*` lists those that are there; containers have those that they are given."
        case .noCameraLibrary(let package):
            "\(name): cameras are read through FFmpeg's libavdevice, which is not here. As root: apt-get install \(package). Or let ffmpeg read it: "
                + "ffmpeg -f v4l2 -i \(name) -f matroska - | vifi-prompt predict -"
        case .badAddress:
            "\(name): is no address. It names a host, and other characters than letters, digits and signs of ASCII are written as %20 and the like."
        case .cannotOpen(let reason) where !source.contains("://"):
            "\(name): cannot be opened: \(reason.escapedForDisplay). Cameras are for the group video and for one program at a time, and some devices of "
                + "theirs give no pictures."
        case .cannotOpen(let reason):
            "\(name): cannot be opened: \(reason.escapedForDisplay). Check the address, and whether its server or camera is on"
                + (source.hasPrefix("https:") ? " and has a certificate that this machine trusts." : ".")
        case .silent(let seconds):
            "\(name): nothing came for \(NumberText.decimal(seconds, places: 0)) s. Check the source; a longer --timeout or --for waits longer."
        case .brokenOff(let reason):
            "\(name): broke off: \(reason.escapedForDisplay)."
        case .notVideo:
            "\(name): is not a video that vifi-prompt reads as a stream (MPEG-TS, Matroska, WebM, FLV, fragmented MP4, MJPEG). A playlist is read "
                + "where its address ends with .m3u8."
        case .noPictures:
            "\(name): holds no pictures."
        case .otherOrigin(let origin):
            "\(name): its playlist names \(origin.escapedForDisplay), another server. Segments are fetched only from where the playlist comes from; "
                + "name that server's own playlist."
        case .nothing:
            "\(name): ended before a picture came. Does the program before it print an error?"
        case .video(let problem):
            VideoError(path: name, problem: problem).description
        case .stopped:
            "\(name): was stopped."
        }
    }
}
