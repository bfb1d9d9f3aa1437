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
        case .nearestMean, .cosineMean, .rocchio, .clap, .zsLP, .taskRes: classes * width
        case .gda, .logistic: classes * (width + 1)
        case .lpPlusPlus: classes * (width + 2)
        case .tipAdapter, .tipAdapterF: clips * width
        case .kernelRidge, .proker: rows * (width + classes)
        case .clipAdapter: 2 * width * max(1, width / CLIPAdapter.Settings().reduction)
        case .prolip: innerWidth * width
        }
    }

    /// Bytes of the large matrices while it is learned, about: a kernel of all pairs of rows and its factor, else the
    /// rows and what is computed of them, and covariances.
    package func learningBytes(width: Int, rows: Int) -> Int {
        switch self {
        case .kernelRidge, .proker: 2 * 8 * rows * rows
        default: 2 * 8 * (rows + width) * width
        }
    }
}
