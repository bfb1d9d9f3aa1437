import Files
import Glibc
import TestSupport

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
