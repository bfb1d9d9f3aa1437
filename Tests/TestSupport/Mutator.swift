/// Changes to bytes that readers of formats dislike, a few at a time.
package struct Mutator {
    let seeds: [[UInt8]]
    private var state: UInt64

    package init(seeds: [[UInt8]], state: UInt64) {
        self.seeds = seeds
        self.state = state
    }

    private static let numbers: [UInt64] = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 62, .max >> 1, .max]

    /// SplitMix64.
    private mutating func random(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(max(limit, 1)))
    }

    package mutating func next() -> [UInt8] {
        var input = seeds[random(below: seeds.count)]
        for _ in 0...random(below: 4) where !input.isEmpty {
            let place = random(below: input.count)
            let length = min(1 << random(below: 6), input.count - place)
            switch random(below: 8) {
            case 0: input[place] ^= 1 << UInt8(random(below: 8))
            case 1: input[place] = UInt8(random(below: 256))
            case 2: input.removeSubrange(place..<place + length)
            case 3: input.insert(contentsOf: input[place..<place + length], at: random(below: input.count))
            case 4:
                let other = seeds[random(below: seeds.count)]
                let start = random(below: other.count)
                input.insert(contentsOf: other[start..<min(start + length, other.count)], at: place)
            case 5: input.removeLast(random(below: input.count))
            case 6:
                let number = Self.numbers[random(below: Self.numbers.count)]
                for index in 0..<min([1, 2, 4, 8][random(below: 4)], input.count - place) {
                    input[place + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index))
                }
            default: input.insert(UInt8(random(below: 256)), at: place)
            }
        }
        return input
    }
}
