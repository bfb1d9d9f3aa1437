import Methods
import Tensors
import TestSupport
import Testing

/// Graph convolutions, against their authors' code, and the graphs that they are of.
@Suite struct GraphConvolutionTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    private func gcnSettings(_ form: ClassGraph.Form = .rows) -> GraphConvolution.Settings {
        var settings = GraphConvolution.Settings()
        (settings.epochs, settings.dropout, settings.form) = (10, 0, form)
        return settings
    }

    @Test(arguments: ["gcn", "gcn_three_layers", "dense_two_phase"])
    func graphConvolution(name: String) throws {
        let expected = try TensorFixture("heads/gcn")
        let layerNames = name == "gcn_three_layers" ? ["conv1", "conv2", "conv-last"] : ["conv1", "conv-last"]
        func names(_ part: String, _ letter: String) -> [String] { layerNames.map { "\(name).\(part).\($0).\(letter)" } }
        func start() throws -> [HeadLayer] {
            try zip(names("start", "w"), names("start", "b")).map { try layer(expected, weight: $0, bias: $1) }
        }
        let examples = try fixture.examples(shots: 4, views: 1, newClasses: true)
        expectClose(examples.unitTexts.values, try expected.floats("inputs"), tolerance: headTolerance, "inputs")
        let form: ClassGraph.Form = name == "dense_two_phase" ? .alternating : .rows
        let matrices = ClassGraph(nearest: 3, texts: examples.unitTexts).matrices(form: form, layerCount: layerNames.count)
        expectClose(
            matrices[0].values, try expected.floats(form == .rows ? "gcn.adjacency" : "dense_two_phase.adjacency"), tolerance: 1e-6, "graph")
        if form == .alternating {
            expectClose(matrices[1].values, try expected.floats("dense_two_phase.adjacency_back"), tolerance: 1e-6, "graph, backwards")
        }
        let targets = MutableMatrix(rows: 7, columns: 32, try expected.floats("targets"))
        let network = GraphNetwork(layers: try start(), matrices: matrices, slope: 0.2)
        func unitOutput(_ network: GraphNetwork) -> MutableMatrix {
            let unit = MutableMatrix(rows: 11, columns: 32)
            let output = network.forward(examples.unitTexts, kept: nil, pool: context.pool).output
            normalizeRows(output, into: unit, lengths: MutableMatrix(rows: 1, columns: 11))
            return unit
        }
        expectClose(unitOutput(network).values, try expected.floats("\(name).output"), tolerance: headTolerance, "output")
        let expectedLosses = try expected.floats("\(name).losses")
        let loss = network.loss(
            texts: examples.unitTexts, targets: targets.reading, of: Array(0..<7), kept: nil, pool: context.pool)
        expectClose(Float(loss), expectedLosses[0], tolerance: headTolerance, "loss")
        try expectLayers(network.layers.map(\.gradients), expected, weights: names("grad", "w"), biases: names("grad", "b"))

        let losses = HeadLosses()
        let learned = try GraphConvolution.learned(examples, settings: gcnSettings(form), start: start(), context: losses.context)
        expectClose(losses.values, expectedLosses, tolerance: headTolerance, "losses")
        try expectLayers(learned.layers.map(\.values), expected, weights: names("final", "w"), biases: names("final", "b"))
        let weight = unitOutput(learned)
        expectClose(weight.values, try expected.floats("\(name).final.output"), tolerance: headTolerance, "class vectors")
        let stored = [HeadTensor(name: "weight", shape: [11, 32], values: weight.values), HeadTensor(name: "logit_scale", shape: [1], values: [100])]
        let head = try GraphConvolution(tensors: Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0) }), settings: gcnSettings(form))
        let logits = try head.logits(of: fixture.new)
        expectClose(ofNewClasses(logits) { $0 / 100 }, try expected.floats("\(name).new_scores"), tolerance: headTolerance, "new classes")
        try expectHead(head, on: fixture.new, gives: logits.values)
    }

    /// Kipf and Welling's layers: a rectifier without a slope, output of any length.
    @Test(arguments: [ClassGraph.Form.rows, .symmetric])
    func plainGraphConvolution(form: ClassGraph.Form) throws {
        let expected = try TensorFixture("heads/gcn")
        let name = form == .rows ? "kipf_row" : "kipf_symmetric"
        let texts = try fixture.examples(shots: 1, newClasses: true).unitTexts
        let matrices = ClassGraph(nearest: 3, texts: texts).matrices(form: form, layerCount: 2)
        expectClose(matrices[1].values, try expected.floats("\(name).adjacency"), tolerance: 1e-6, "graph")
        let layers = try ["kipf.gc1", "kipf.gc2"].map { try layer(expected, weight: "\($0).weight", bias: "\($0).bias") }
        let output = GraphNetwork(layers: layers, matrices: matrices, slope: 0).forward(texts, kept: nil, pool: context.pool).output
        expectClose(output.values, try expected.floats("\(name).output"), tolerance: headTolerance, "output")
    }

    /// The edges of the fixture are those of the nearest texts, so they give the same head.
    @Test func edgesAreTheGraph() throws {
        let examples = try fixture.examples(shots: 2, newClasses: true)
        var settings = gcnSettings()
        settings.hiddenWidths = [16]
        let nearest = try GraphConvolution.fit(examples, validation: nil, settings: settings, context: context)
        settings.edges = try TensorFixture("heads/gcn").integers("edges")
        let given = try GraphConvolution.fit(examples, validation: nil, settings: settings, context: context)
        #expect(given.weight.values == nearest.weight.values)
        // Settings go through JSON with their edges.
        let again = try HeadKind.gcn.fit(examples, settingsText: given.settingsText, context: context)
        #expect(again.tensors == given.tensors)
        settings.edges = []
        #expect(try GraphConvolution.fit(examples, validation: nil, settings: settings, context: context).weight.values != given.weight.values)
        settings.edges = [0, 1, 2]
        #expect(throws: HeadError.setting(name: "edges", value: "3 numbers, as each edge has two", head: .gcn)) {
            try GraphConvolution.fit(examples, validation: nil, settings: settings, context: context)
        }
        settings.edges = [0, 11]
        #expect(throws: HeadError.setting(name: "edges", value: "class 11, as there are 11, counted from 0", head: .gcn)) {
            try GraphConvolution.fit(examples, validation: nil, settings: settings, context: context)
        }
    }

    @Test func edgesAreReadByName() throws {
        let names = ["tai chi", "riding or walking with horse", "archery"]
        let text = "# the graph\narchery\ttai chi\r\n\ntai chi\triding or walking with horse\n"
        #expect(try ClassGraph.edges(in: text, classNames: names) == [2, 0, 0, 1])
        #expect(try ClassGraph.edges(in: "", classNames: names).isEmpty)
        let examples = try fixture.examples(shots: 1)
        let nobody = try GraphConvolution.settingsText(graph: "\n", classNames: names).replacing("3000", with: "2")
        #expect(try HeadKind.gcn.fit(examples, settingsText: nobody, context: context).settingsText.contains("\"edges\":[]"))
        for (text, line) in [("archery\n", 1), ("archery\ttai chi\narchery\tgolf", 2), ("archery\ttai chi\tarchery", 1), ("golf\tarchery\ttai chi", 1)] {
            #expect {
                try ClassGraph.edges(in: text, classNames: names)
            } throws: {
                guard case .edge(line, _) = $0 as? HeadError else { return false }
                return true
            }
        }
        #expect(
            HeadError.edge(line: 2, text: "a b").description
                == "line 2 of the graph, \"a b\", does not name two of the classes. Write an edge a line: two class names with a tab between them.")
    }

    /// What is left out differs from step to step and by the seed; the head learns all the same.
    @Test func dropout() throws {
        let examples = try fixture.examples(shots: 2, newClasses: true)
        var settings = gcnSettings()
        (settings.hiddenWidths, settings.dropout, settings.epochs, settings.learningRate) = ([64], 0.5, 200, 1e-2)
        let losses = HeadLosses()
        let head = try GraphConvolution.fit(examples, validation: nil, settings: settings, context: losses.context)
        expectFall(losses.values)
        let other = try GraphConvolution.fit(
            examples, validation: nil, settings: settings, context: HeadContext(pool: WorkerPool(threadCount: 1), seed: 2))
        #expect(head.weight.values != other.weight.values)
        (settings.learningRate, settings.weightDecay, settings.epochs) = (0, 0, 2)
        let still = HeadLosses()
        _ = try GraphConvolution.fit(examples, validation: nil, settings: settings, context: still.context)
        #expect(still.values[0] != still.values[1])
    }
}
