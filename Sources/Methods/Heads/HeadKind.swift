import Tensors

/// The heads there are. The raw value is what a person types.
package enum HeadKind: String, CaseIterable, Codable, Sendable {
    case nearestMean = "nearest-mean"
    case cosineMean = "cosine-mean"
    case rocchio
    case tipAdapter = "tip-adapter"
    case tipAdapterF = "tip-adapter-f"
    case gda
    case lpPlusPlus = "lp-plus-plus"
    case prolip
    case clap
    case zsLP = "zs-lp"
    case taskRes = "task-res"
    case clipAdapter = "clip-adapter"
    case logistic
    case proker
    case kernelRidge = "kernel-ridge"
    case eszsl
    case sje
    case dem
    case gcn

    package var type: any Head.Type {
        switch self {
        case .nearestMean: NearestMean.self
        case .cosineMean: CosineMean.self
        case .rocchio: Rocchio.self
        case .tipAdapter: TipAdapter.self
        case .tipAdapterF: TipAdapterF.self
        case .gda: GaussianDiscriminant.self
        case .lpPlusPlus: LPPlusPlus.self
        case .prolip: ProLIP.self
        case .clap: CLAP.self
        case .zsLP: ZeroShotLinearProbe.self
        case .taskRes: TaskRes.self
        case .clipAdapter: CLIPAdapter.self
        case .logistic: LogisticRegression.self
        case .proker: ProKeR.self
        case .kernelRidge: KernelRidge.self
        case .eszsl: ESZSL.self
        case .sje: SJE.self
        case .dem: DEM.self
        case .gcn: GraphConvolution.self
        }
    }

    /// One line for a list of the heads.
    package var summary: String {
        switch self {
        case .nearestMean: "the class whose mean feature is nearest; texts play no part"
        case .cosineMean: "cosine to each class's mean feature; texts play no part"
        case .rocchio: "text moved towards its own clips and away from the others (Rocchio)"
        case .tipAdapter: "text scores plus a cache of the clips, nothing trained (Tip-Adapter, ECCV 2022)"
        case .tipAdapterF: "Tip-Adapter with trained keys (Tip-Adapter-F, ECCV 2022)"
        case .gda: "text scores plus Gaussian discriminant analysis, closed form (ICLR 2024)"
        case .lpPlusPlus: "linear probe blended with the texts by learned weights (LP++, CVPR 2024)"
        case .prolip: "trains the vision tower's projection, held near its start (ProLIP)"
        case .clap: "linear probe from the texts, held near them class by class (CLAP, CVPR 2024)"
        case .zsLP: "linear probe that starts from the texts (ZS-LP, CVPR 2024)"
        case .taskRes: "a learned residual on every text feature (TaskRes, CVPR 2023)"
        case .clipAdapter: "a small network blended with the feature (CLIP-Adapter, IJCV 2024)"
        case .logistic: "logistic regression on unit features (CLIP's linear probe, ICML 2021)"
        case .proker: "kernel regression of what the texts get wrong, scaled (ProKeR, CVPR 2025)"
        case .kernelRidge: "kernel ridge regression of what the texts get wrong"
        case .eszsl: "a map between features and texts by ridge regression, for classes without clips (ESZSL, ICML 2015)"
        case .sje: "a map from features to texts, learned clip by clip, for classes without clips (SJE, CVPR 2015)"
        case .dem: "a network from texts to where features lie, for classes without clips (DEM, CVPR 2017)"
        case .gcn: "a graph convolution from texts to classifiers, for classes without clips (DGP, CVPR 2019)"
        }
    }

    /// Whether a class matrix and a bias say the same, after the head's own projection if it has one, so that they can be
    /// exported.
    package var isLinear: Bool {
        switch self {
        case .nearestMean, .cosineMean, .rocchio, .gda, .lpPlusPlus, .clap, .zsLP, .taskRes, .logistic, .prolip, .eszsl, .dem, .gcn: true
        case .tipAdapter, .tipAdapterF, .clipAdapter, .proker, .kernelRidge, .sje: false
        }
    }

    /// Whether it needs the features from before the projection, to learn and to score.
    package var needsUnprojected: Bool { self == .prolip }

    /// Whether a class may have no clips.
    package var scoresClassesWithoutClips: Bool {
        switch self {
        case .rocchio, .tipAdapter, .tipAdapterF, .gda, .prolip, .clipAdapter, .proker, .kernelRidge, .eszsl, .sje, .dem, .gcn: true
        case .nearestMean, .cosineMean, .lpPlusPlus, .clap, .zsLP, .taskRes, .logistic: false
        }
    }

    /// Whether every clip can be scored by the head learned without it, at about the price of learning once.
    package var hasExactLeaveOneOut: Bool { type is any LeaveOneOutHead.Type }

    /// The same for these examples, in which some class may have no clips.
    package func hasExactLeaveOneOut(of examples: HeadExamples) -> Bool {
        guard let type = type as? any LeaveOneOutHead.Type else { return false }
        return type.leavesOutBesideEmptyClasses || examples.clipCounts.allSatisfy { $0 > 0 }
    }

    /// Whether classes can be added from their own clips alone.
    package var isExtendable: Bool { type is any ExtendableHead.Type }

    /// Learns a head of this kind.
    ///
    /// - Parameter settingsText: its settings as JSON, or nil for its authors'.
    /// - Throws: `diverged` too where the last step made something of the head NaN or infinite.
    package func fit(
        _ examples: HeadExamples, validation: HeadExamples? = nil, settingsText: String? = nil, context: HeadContext
    ) throws(HeadError) -> any Head {
        func open<H: Head>(_ type: H.Type) throws(HeadError) -> any Head {
            let head = try type.fit(
                examples, validation: validation, settings: type.settings(from: settingsText), context: context)
            guard head.tensors.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else { throw .diverged(head: self, step: 0) }
            return head
        }
        return try open(self.type)
    }

    /// - Throws: `noLeaveOneOut` where there is no closed form.
    package func leaveOneOutLogits(
        _ examples: HeadExamples, settingsText: String? = nil, context: HeadContext
    ) throws(HeadError) -> Matrix {
        func open<H: LeaveOneOutHead>(_ type: H.Type) throws(HeadError) -> Matrix {
            try type.leaveOneOutLogits(examples, settings: type.settings(from: settingsText), context: context)
        }
        guard let type = type as? any LeaveOneOutHead.Type else { throw .noLeaveOneOut(head: self) }
        return try open(type)
    }

    /// Each candidate's settings as JSON, with the scores of every clip by the head learned without it.
    ///
    /// - Throws: `noLeaveOneOut` where there is no closed form.
    package func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settingsText: String, logits: Matrix)] {
        func open<H: LeaveOneOutHead>(_ type: H.Type) throws(HeadError) -> [(settingsText: String, logits: Matrix)] {
            try type.leaveOneOutCandidates(examples, context: context).map { (type.text(of: $0.settings), $0.logits) }
        }
        guard let type = type as? any LeaveOneOutHead.Type else { throw .noLeaveOneOut(head: self) }
        return try open(type)
    }

    /// Settings worth comparing, as JSON, the first the authors'.
    package func candidates(rowCount: Int) -> [String] {
        func open<H: Head>(_ type: H.Type) -> [String] { type.candidates(rowCount: rowCount).map(type.text) }
        return open(self.type)
    }

    /// A head from its stored tensors and settings.
    package func load(tensors: [HeadTensor], settingsText: String) throws(HeadError) -> any Head {
        let tensors = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func open<H: Head>(_ type: H.Type) throws(HeadError) -> any Head {
            try type.init(tensors: tensors, settings: type.settings(from: settingsText))
        }
        return try open(self.type)
    }
}

extension HeadKind {
    /// The settings of the method's authors as JSON. Keys whose value depends on the examples are absent.
    package var authorsSettings: String {
        func open<H: Head>(_ type: H.Type) -> String { type.text(of: H.Settings()) }
        return open(self.type)
    }
}
