import Evaluation

/// What `viz tsne` leaves in `metrics.json`.
struct TSNEReport: Codable {
    let backbone: String
    let backboneDigest: String
    let prompts: String?
    let list: String
    let classListDigest: String
    let videos: Int
    let frames: Int
    let perplexity: Double
    let iterations: Int
    let seed: UInt64
    let method: String
    let divergence: Double
    /// k of k-means: classes that have videos.
    let clusters: Int
    let embedding: ClusterAgreement
    let plane: ClusterAgreement

    private enum CodingKeys: String, CodingKey {
        case backbone, prompts, list, videos, frames, perplexity, iterations, seed, method, divergence, clusters, embedding, plane
        case backboneDigest = "backbone_digest"
        case classListDigest = "class_list_digest"
    }

    init(
        _ pictures: PictureData, _ embeddings: VideoEmbeddings, _ layout: TSNE.Result, _ configuration: TSNE.Configuration,
        clusters: Int, embedding: ClusterAgreement, plane: ClusterAgreement
    ) {
        backbone = pictures.subject.backbone.description.name
        backboneDigest = pictures.subject.backbone.digest
        prompts = pictures.subject.promptPath
        list = pictures.list.path
        classListDigest = pictures.classes.digest
        videos = embeddings.labels.count
        frames = pictures.classifier.frameCount
        perplexity = layout.perplexity
        iterations = configuration.iterations
        seed = configuration.seed
        method = layout.isExact ? "exact" : "barnes_hut"
        divergence = layout.divergence
        self.clusters = clusters
        self.embedding = embedding
        self.plane = plane
    }
}
