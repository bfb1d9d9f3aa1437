/// What a run learns: decides its recipe and its starting point on the pocket world.
package enum RunKind: String, Codable, Sendable {
    case bridge, learn
}
