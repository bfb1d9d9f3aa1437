import Tensors

/// A head whose numbers are a core that it shares with others: what is learned differs, what is kept and how it scores does not.
package protocol CoreHead: Head {
    associatedtype Core: HeadCore

    var core: Core { get }
    init(settings: Settings, core: Core)
}

/// The numbers of a head, and how they score.
package protocol HeadCore: Sendable {
    init(_ reader: HeadTensorReader) throws(HeadError)
    var tensors: [HeadTensor] { get }
    var parameterCount: Int { get }
    func logits(of features: HeadFeatures) throws(HeadError) -> Matrix
    var linear: LinearClassifier? { get }
    var formula: HeadFormula? { get }
}

extension HeadCore {
    package var linear: LinearClassifier? { nil }
    package var formula: HeadFormula? { linear.map { .linear($0) } }
}

extension CoreHead {
    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        self.init(settings: settings, core: try Core(HeadTensorReader(tensors: tensors, head: Self.kind)))
    }

    package var tensors: [HeadTensor] { core.tensors }
    package var parameterCount: Int { core.parameterCount }
    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix { try core.logits(of: features) }
    package var linear: LinearClassifier? { core.linear }
    package var formula: HeadFormula? { core.formula }
}
