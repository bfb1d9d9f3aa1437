import Files
import Tensors

/// Shrunk frames of videos, or parts of videos, met before, within a budget of bytes.
///
/// Few-shot runs meet the same few videos in every epoch. What fits in is kept for good and nothing is
/// pushed out: every video is met equally often, so making room for one would only cost another.
///
/// Sendable because its contents are touched only under the monitor.
package final class FrameCache: @unchecked Sendable {
    package struct Key: Hashable, Sendable {
        package var path: String
        package var part: ClipPart?
        package var shortSide: Int

        package init(path: String, part: ClipPart? = nil, shortSide: Int) {
            self.path = path
            self.part = part
            self.shortSide = shortSide
        }

        package static func == (left: Key, right: Key) -> Bool {
            left.shortSide == right.shortSide && left.part == right.part && left.path.hasSameBytes(as: right.path)
        }

        package func hash(into hasher: inout Hasher) {
            hasher.combine(Bytewise(path))
            hasher.combine(part)
            hasher.combine(shortSide)
        }
    }

    private struct Video {
        var frameCount: Int
        var frames: [Int: VideoFrame]
    }

    package let byteBudget: Int
    private let monitor = Monitor()
    private var videos: [Key: Video] = [:]
    private var usedBytes = 0

    /// - Parameter byteBudget: 0 keeps nothing.
    package init(byteBudget: Int) {
        precondition(byteBudget >= 0, "a budget is not negative")
        self.byteBudget = byteBudget
    }

    package var byteCount: Int { monitor.locked { usedBytes } }

    /// The frames that `choosing` picks from the video's frame count, if all of them are here.
    func frames(_ key: Key, choosing: (_ frameCount: Int) -> [Int]) -> [VideoFrame]? {
        guard let video = monitor.locked({ videos[key] }) else { return nil }
        let indices = choosing(video.frameCount)
        let found = indices.compactMap { video.frames[$0] }
        return found.count == indices.count ? found : nil
    }

    /// Whether a video of this size could still be kept, so that decoding more of it than needed pays off.
    func hasRoom(forBytes count: Int) -> Bool {
        monitor.locked { usedBytes + count <= byteBudget }
    }

    /// Keeps frames by their index in the video or its part, if they fit.
    func keep(_ frames: [Int: VideoFrame], frameCount: Int, as key: Key) {
        monitor.locked {
            var video = videos[key] ?? Video(frameCount: frameCount, frames: [:])
            let new = frames.filter { video.frames[$0.key] == nil }
            let bytes = new.values.reduce(0) { $0 + $1.pixels.count }
            guard video.frameCount == frameCount, usedBytes + bytes <= byteBudget else { return }
            video.frames.merge(new) { kept, _ in kept }
            videos[key] = video
            usedBytes += bytes
        }
    }
}
