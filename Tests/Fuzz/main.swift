import Files
import Glibc

// vifi-fuzz PARSER SECONDS SEED [FILE]
//
// Mutates the seeds of a parser for so long and feeds it the results. Each input lies in a file before it is
// tried, so a trap leaves behind what caused it, and the shell sees the signal. With FILE that input alone
// is tried again.
//
// vifi-fuzz digests DIRECTORY
//
// Says of each file what is refused and what its tensors are, for differential.py.

let arguments = CommandLine.arguments
if arguments.count == 3, arguments[1] == "digests" {
    try printDigests(of: arguments[2])
    exit(0)
}
guard arguments.count >= 4, let parser = parsers.first(where: { $0.name == arguments[1] }),
    let seconds = Int(arguments[2]), let seed = UInt64(arguments[3])
else {
    print("vifi-fuzz PARSER SECONDS SEED [FILE], where PARSER is one of " + parsers.map(\.name).joined(separator: ", "))
    exit(64)
}

let inputPath = scratchPath + ".input"
let filePath = scratchPath + ".file"
if arguments.count == 5 {
    try parser.attempt(contents(of: arguments[4]), filePath)
    exit(0)
}
print("\(parser.name): seed \(seed); if this stops with a signal, its input is \(inputPath)")
var mutator = Mutator(seeds: parser.seeds, state: seed)
let clock = ContinuousClock()
let start = clock.now
var (tries, accepted) = (0, 0)
var slowest = Duration.zero
while clock.now - start < .seconds(seconds) {
    let input = mutator.next()
    overwrite(inputPath, with: input)
    let took = clock.measure {
        do {
            try parser.attempt(input, filePath)
            accepted += 1
        } catch {}
    }
    tries += 1
    slowest = max(slowest, took)
    guard slowest < .seconds(5) else {
        print("\(parser.name): an input took \(took): \(inputPath)")
        exit(1)
    }
}
for path in [inputPath, filePath] { unlink(path) }
removeTree(filePath + ".folder")
print("\(parser.name): \(tries) inputs, \(accepted) accepted, the slowest took \(slowest)")

/// Changes to bytes that readers of formats dislike, a few at a time.
struct Mutator {
    let seeds: [[UInt8]]
    var state: UInt64

    private static let numbers: [UInt64] = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 62, .max >> 1, .max]

    /// SplitMix64.
    mutating func random(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(max(limit, 1)))
    }

    mutating func next() -> [UInt8] {
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
