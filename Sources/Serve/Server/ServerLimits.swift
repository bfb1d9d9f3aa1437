/// What one client, and all together, may take of the server.
package struct ServerLimits: Sendable {
    /// Of a request's head.
    package var headerBytes = 16 << 10
    package var jsonBytes = 1 << 20
    package var videoBytes = 256 << 20
    /// Of a form, all but its video.
    package var formBytes = 1 << 20
    package var formFields = 128
    /// Of all data sets together.
    package var quotaBytes = 10 << 30
    package var classCount = 1024
    /// Of one class name, in UTF-8.
    package var classNameBytes = 1 << 10
    /// From the start of a connection to the end of its first head.
    package var headSeconds = 10.0
    /// Between two parts of a body.
    package var bodyIdleSeconds = 10.0
    package var bodySeconds = 120.0
    /// Of an answer about a whole video, with the wait for its turn.
    package var inferenceSeconds = 60.0
    /// Of a time line that is not told by events; whoever follows events may wait as long as they like.
    package var timelineSeconds = 600.0
    /// Windows × classes of one answer.
    package var timelineScores = 1_000_000
    /// Between two requests on one connection.
    package var idleSeconds = 30.0
    /// A client that takes nothing of its answer for so long is let go.
    package var writeSeconds = 60.0
    package var connections = 128
    package var uploads = 32
    /// Requests that wait for a decoder.
    package var queue = 16
    package var eventStreams = 16
    /// From a wish to stop to the end.
    package var drainSeconds = 10

    package init() {}
}
