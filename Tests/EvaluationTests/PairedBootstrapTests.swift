import Evaluation
import Files
import TestSupport
import Testing

/// Expected intervals: 200,000 resamplings in NumPy 2.4.6, seeds and clips drawn with replacement, `numpy.percentile`.
@Suite struct PairedBootstrapTests {
    private static let first = [
        "10011010011111110010111111101111111111011010101110111111010111111111011101100011101101111110111011110111011111001010011011010111110111010110011010111010101011111001111110111111000100010111111111111101",
        "01111100011111010010011111010010001111101111111001111111101110111101101110101000011101110011010000011100011110111010011001000110111101010111110110001111111101101111111001110010111011111100000000110101",
        "10111010101101110111101110111111110111111110110110110111110110110100111101111111111011110011011101111001011111101101111111111110111110111101011001111111111101111111101111010011110100111000111101111111"
    ].map(marks)
    private static let second = [
        "00000000001111010110111110111011011111011010101100111111010011001111011011101011001111111111100011110111001101011010011001000011011110110111011110101110110001011000111110111110000000110010011011011101",
        "00000000001111010010101111010010000011100111111100111111101010111011001000101100010111000101011000001100010101111001011001010010111101100101110101001111101001111101011001010010111011101100100100110001",
        "00000000001011000111101110111111101101100100111110010111100110110101111101111111101001011011011111101001010011001101011110111111101110100101011011110111111101111111001111111011010000111010110101111101"
    ].map(marks)

    private static func marks(_ text: String) -> [Bool] { text.map { $0 == "1" } }

    @Test func seedsAndClipsAreDrawnForBothSettings() {
        let found = PairedBootstrap(seedCount: 3, clipCount: 200).difference(of: Self.first, from: Self.second)
        #expect(abs(found.mean - 10.8333333) < 1e-6)
        #expect(abs(found.low - 5.67) < 0.6 && abs(found.high - 16) < 0.6, "\(found)")
        #expect(found.isClear)
    }

    @Test func oneSeedTellsOfClipsAlone() {
        let found = PairedBootstrap(seedCount: 1, clipCount: 200).difference(of: [Self.first[0]], from: [Self.second[0]])
        #expect(abs(found.mean - 11) < 1e-6)
        #expect(abs(found.low - 4.5) < 0.6 && abs(found.high - 18) < 0.6, "\(found)")
    }

    /// What is hard about clips cancels: settings that always agree differ by nothing, however few clips there are.
    @Test func equalSettingsDoNotDiffer() {
        let found = PairedBootstrap(seedCount: 3, clipCount: 200).difference(of: Self.first, from: Self.first)
        #expect((found.mean, found.low, found.high) == (0, 0, 0))
        #expect(!found.isClear)
    }

    @Test func verdictsAreReadAsTheyWereWritten() throws {
        let directory = try TemporaryDirectory()
        let verdicts = ClipVerdicts([
            Prediction(path: "a, \"b\".mp4", label: 1, probabilities: [0.2, 0.8]), Prediction(path: "c d.mp4", label: 0, probabilities: [0.2, 0.8]),
        ])
        let file = directory.path(ClipVerdicts.fileName(of: "val"))
        try DurableFile.write(verdicts.csv, to: file)
        #expect(try ClipVerdicts(path: file) == verdicts)
        #expect(verdicts.hits == [true, false])
    }
}
