import Files

extension PocketVideo {
    /// Who does what and where, such as "green figure clapping while walking, pink room": the words of the stills'
    /// captions and of the classes. A function of the video's seed, index and class; at most 67 bytes, so that
    /// "a photo of " before it fits into the pocket CLIP's 80 tokens.
    ///
    /// Videos of one class differ in figure and scene, videos of one scene in what is done: to find the right video all
    /// of it must be understood. Two videos may share a caption all the same.
    package var caption: String {
        let scene = setting.scene
        return "\(setting.figure.shirt.rawValue) figure \(label.name), \(scene.tint.rawValue) \(scene.place.rawValue)"
    }
}

extension PocketDataSet {
    /// Lists of the videos with their captions, beside those with classes.
    package var trainCaptions: String { root.appendingPath("train-captions.csv") }
    package var validationCaptions: String { root.appendingPath("val-captions.csv") }
    package var testCaptions: String { root.appendingPath("test-captions.csv") }

    /// Writes the lists unless they already exist: no video need be drawn for them.
    package func writeCaptions(of catalog: PocketCatalog) throws {
        for (path, entries) in [(trainCaptions, catalog.train), (validationCaptions, catalog.validation), (testCaptions, catalog.test)] {
            var list = CaptionList(path: path, root: root)
            for entry in entries { list.add(video: entry.path, caption: entry.video.caption) }
            let bytes = list.bytes
            if (try? InputFile.contents(of: path, limit: 1 << 20)) != bytes { try DurableFile.write(bytes, to: path) }
        }
    }
}
