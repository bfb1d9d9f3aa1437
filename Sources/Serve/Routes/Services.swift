import Experiments
import Logging
import VideoData

/// What handlers share.
struct Services: Sendable {
    let desk: ModelDesk
    let sets: DataSetStore
    let runs: RunDesk
    let sources: [LiveChannel]
    let scoring: ScoringQueue
    let videos: IsolatedVideos
    let work: BlockingWork
    /// For what may take long, so that it does not keep everybody else waiting.
    let longWork: BlockingWork
    let uploads: Places
    let streams: Places
    let metrics: Metrics
    let limits: ServerLimits
    /// For bodies of requests, on the disk of the data sets.
    let folder: String
    let version: String
    let logger: Logger
}
