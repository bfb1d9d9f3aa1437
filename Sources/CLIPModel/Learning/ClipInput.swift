/// How far a clip has been computed that is to be learned from or classified.
package enum ClipInput: Sendable {
    /// `[frames, 3 × side × side]`, normalized pixels.
    case pixels
    /// Up to where the first vision prompts enter, `[frames × rows, width]`; without vision prompts the frames'
    /// features, `[frames, embeddingWidth]`. The same in every step, as long as a clip's pixels are.
    case cachedPrefix
}
