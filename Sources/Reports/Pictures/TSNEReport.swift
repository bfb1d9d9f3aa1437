import Evaluation

/// What `viz tsne` leaves in `metrics.json`.
package struct TSNEReport: Codable {
    package let backbone: String
    package let backboneSha256: String
    package let prompts: String?
    package let list: String
    package let classListSha256: String
    package let videos: Int
    package let frames: Int
    package let perplexity: Double
    package let iterations: Int
    package let seed: UInt64
    package let method: String
    package let divergence: Double
    /// k of k-means: classes that have videos.
    package let clusters: Int
    package let embedding: ClusterAgreement
    package let plane: ClusterAgreement

    private enum CodingKeys: String, CodingKey {
        case backbone, prompts, list, videos, frames, perplexity, iterations, seed, method, divergence, clusters, embedding, plane
        case backboneSha256 = "backbone_sha256"
        case classListSha256 = "class_list_sha256"
    }

    package init(
        _ pictures: PictureData, _ embeddings: VideoEmbeddings, _ layout: TSNE.Result, _ configuration: TSNE.Configuration,
        clusters: Int, embedding: ClusterAgreement, plane: ClusterAgreement
    ) {
        backbone = pictures.subject.backbone.description.name
        backboneSha256 = pictures.subject.backbone.digest
        prompts = pictures.subject.promptPath
        list = pictures.list.path
        classListSha256 = pictures.classes.digest
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
