import CLIPModel
import Foundation
import Tensors
import Training
var c = ContrastivePretrainer.Configuration()
if CommandLine.arguments.count > 2 { c.stepCount = Int(CommandLine.arguments[2]) ?? 1500 }
let pool = WorkerPool()
let t0 = Date()
var l = 0.0, a = 0.0
let b = try ContrastivePretrainer(c).run(pool: pool) { p in
    l += p.loss; a += p.accuracy
    if (p.step + 1) % 25 == 0 { print(p.step + 1, l / 25, a / 25, Date().timeIntervalSince(t0)); fflush(nil); l = 0; a = 0 }
}
try b.save(to: CommandLine.arguments[1])
