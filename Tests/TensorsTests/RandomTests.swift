import Testing
import Tensors

@Suite struct RandomTests {
    /// Known-answer vectors of the Random123 library, `kat_vectors`, philox4x32 with 10 rounds.
    @Test(arguments: [
        (SIMD4<UInt32>(0, 0, 0, 0), SIMD2<UInt32>(0, 0), SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
        (SIMD4<UInt32>(repeating: 0xffff_ffff), SIMD2<UInt32>(repeating: 0xffff_ffff),
            SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
        (SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
            SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)),
    ])
    func philoxKnownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: SIMD4<UInt32>) {
        #expect(RandomSource.philox(counter: counter, key: key) == expected)
    }

    @Test func momentsOfTheDistributions() {
        var source = RandomSource(seed: 7, purpose: .test)
        let count = 200_000
        let normals = (0..<count).map { _ in Double(source.normal()) }
        let betas = (0..<count).map { _ in source.beta(0.8, 0.8) }
        // Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)).
        #expect(abs(normals.reduce(0, +) / Double(count)) < 0.01)
        #expect(abs(normals.map { $0 * $0 }.reduce(0, +) / Double(count) - 1) < 0.02)
        #expect(abs(betas.reduce(0, +) / Double(count) - 0.5) < 0.005)
        #expect(abs(betas.map { ($0 - 0.5) * ($0 - 0.5) }.reduce(0, +) / Double(count) - 1 / (4 * 2.6)) < 0.002)
        #expect(source.permutation(of: 1000).sorted() == Array(0..<1000))
    }

    @Test func streamsDifferByEveryPartOfTheirName() {
        let names: [(UInt64, RandomPurpose, Int, Int)] = [(1, .crop, 0, 0), (2, .crop, 0, 0), (1, .flip, 0, 0), (1, .crop, 1, 0), (1, .crop, 0, 1)]
        let first = names.map { name in
            var source = RandomSource(seed: name.0, purpose: name.1, epoch: name.2, item: name.3)
            return source.next()
        }
        #expect(Set(first).count == names.count)
    }
}
