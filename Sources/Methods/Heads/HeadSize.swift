/// What a head comes to before it is learned.
extension HeadKind {
    /// `Head.parameterCount` of a head with the authors' settings.
    ///
    /// - Parameters:
    ///   - width: of the projected features and the texts.
    ///   - innerWidth: of the features before the projection.
    ///   - clips: that it is learned from.
    ///   - rows: views of these.
    package func parameterCount(classes: Int, width: Int, innerWidth: Int, clips: Int, rows: Int) -> Int {
        switch self {
        case .nearestMean, .cosineMean, .rocchio, .clap, .zsLP, .taskRes, .dem, .gcn: classes * width
        case .gda, .logistic: classes * (width + 1)
        case .lpPlusPlus: classes * (width + 2)
        case .tipAdapter, .tipAdapterF: clips * width
        case .kernelRidge, .proker: rows * (width + classes)
        case .clipAdapter: 2 * width * max(1, width / CLIPAdapter.Settings().reduction)
        case .prolip: innerWidth * width
        case .eszsl: width * width
        case .sje: width * (width + 2)
        }
    }

    /// Bytes of the large matrices while it is learned, about: a kernel of all pairs of rows and its factor, else the rows and
    /// what is computed of them, and covariances; of a network what it is learned by, too.
    package func learningBytes(width: Int, rows: Int) -> Int {
        let ofRows = 2 * 8 * (rows + width) * width
        // Two layers: each weight with its gradient and two moments.
        func network(hiddenWidth: Int) -> Int { 2 * 4 * 4 * width * hiddenWidth }
        return switch self {
        case .kernelRidge, .proker: 2 * 8 * rows * rows
        case .dem: ofRows + network(hiddenWidth: DEM.Settings().hiddenWidth)
        case .gcn: ofRows + network(hiddenWidth: GraphConvolution.Settings().hiddenWidths.max() ?? 0)
        default: ofRows
        }
    }
}
