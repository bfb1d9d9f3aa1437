import Tensors

/// Which classes take from which in a graph convolution.
package struct ClassGraph: Sendable {
    /// How a layer's matrix is made of the edges. Every class takes from itself, too.
    package enum Form: String, Codable, Sendable {
        /// Edges lead both ways; each row is divided by its sum.
        case rows
        /// Edges lead both ways; each number is divided by the roots of its row's and its column's sum (Kipf and Welling 2017).
        case symmetric
        /// Along the edges in the first layer, against them in the second and so on; each row is divided by its sum.
        case alternating
    }

    private let classCount: Int
    /// From and to.
    private let edges: [(from: Int, to: Int)]

    /// From each class to the nearest others by the cosine of their texts; to the first of equally near ones.
    ///
    /// - Parameter texts: `[classes, width]`, of unit length.
    package init(nearest count: Int, texts: Matrix) {
        classCount = texts.rowCount
        let cosines = cosineScores(texts, to: texts, scale: 1)
        edges = (0..<texts.rowCount).flatMap { label in
            let row = cosines.row(label).values
            let others = row.indices.filter { $0 != label }.sorted { (row[$1], $0) < (row[$0], $1) }
            return others.prefix(count).map { (from: label, to: $0) }
        }
    }

    /// - Parameter pairs: the classes that edges lead from and to, in turn.
    /// - Throws: `setting` where a class is missing or there is none of that number.
    package init(pairs: [Int], classCount: Int) throws(HeadError) {
        guard pairs.count.isMultiple(of: 2) else {
            throw .setting(name: "edges", value: "\(pairs.count) numbers, as each edge has two", head: .gcn)
        }
        if let wrong = pairs.first(where: { !(0..<classCount).contains($0) }) {
            throw .setting(name: "edges", value: "class \(wrong), as there are \(classCount), counted from 0", head: .gcn)
        }
        self.classCount = classCount
        edges = stride(from: 0, to: pairs.count, by: 2).map { (from: pairs[$0], to: pairs[$0 + 1]) }
    }

    /// The matrix of each layer: `[classes, classes]`, row c holding what class c takes of each class.
    package func matrices(form: Form, layerCount: Int) -> [Matrix] {
        switch form {
        case .rows: [Matrix](repeating: dividedByRows(marks(bothWays: true)), count: layerCount)
        case .symmetric: [Matrix](repeating: dividedByRoots(marks(bothWays: true)), count: layerCount)
        case .alternating:
            (0..<layerCount).map { layer in
                let marks = marks(bothWays: false)
                return dividedByRows(layer.isMultiple(of: 2) ? marks.transposed : marks)
            }
        }
    }

    /// 1 from each class to itself and along each edge.
    private func marks(bothWays: Bool) -> DoubleMatrix {
        var marks = DoubleMatrix(rows: classCount, columns: classCount)
        for label in 0..<classCount { marks[label, label] = 1 }
        for (from, to) in edges {
            marks[from, to] = 1
            if bothWays { marks[to, from] = 1 }
        }
        return marks
    }

    private func sums(_ marks: DoubleMatrix) -> [Double] { (0..<classCount).map { marks.row($0).reduce(0, +) } }

    private func dividedByRows(_ marks: DoubleMatrix) -> Matrix {
        let sums = sums(marks)
        var divided = marks
        for row in 0..<classCount { for column in 0..<classCount { divided[row, column] /= sums[row] } }
        return divided.matrix.reading
    }

    private func dividedByRoots(_ marks: DoubleMatrix) -> Matrix {
        let sums = sums(marks)
        var divided = marks
        for row in 0..<classCount { for column in 0..<classCount { divided[row, column] /= (sums[row] * sums[column]).squareRoot() } }
        return divided.matrix.reading
    }
}

extension ClassGraph {
    /// The classes that edges lead from and to, in turn, as `GraphConvolution.Settings.edges` has them.
    ///
    /// - Parameter text: an edge a line: two class names with a tab between them. Empty lines and lines that begin with `#` say
    ///   nothing.
    /// - Throws: `edge` for the first line that does not name two of the classes.
    package static func edges(in text: String, classNames: [String]) throws(HeadError) -> [Int] {
        let labels = Dictionary(classNames.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var pairs: [Int] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            guard !line.isEmpty, line.first != "#" else { continue }
            let found = line.split(separator: "\t", omittingEmptySubsequences: false).compactMap { labels[String($0)] }
            guard found.count == 2, line.count(where: { $0 == "\t" }) == 1 else { throw .edge(line: number + 1, text: String(line)) }
            pairs += found
        }
        return pairs
    }
}
