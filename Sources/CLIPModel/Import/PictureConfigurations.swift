import WeightFiles

// What folders say of how pictures are made ready for a CLIP. Normalization is taken from them. How frames are resized
// and cropped is the method's (`methods.md` 1.6), so that a folder that says otherwise gets a sentence; and what would
// give the model other pictures altogether is refused.

extension CheckpointConfiguration {
    /// The image processor of transformers: `preprocessor_config.json`, or a part of `processor_config.json`.
    mutating func readImageProcessor(_ section: ConfigurationSection) throws(ModelError) {
        for (key, words) in [("do_normalize", "pixels are always normalized here"), ("do_rescale", "pixels are always scaled to 0 ... 1 here")]
        where section.flag(key) == false {
            throw section.fault(key, words)
        }
        if section.flag("do_flip_channel_order") == true { throw section.fault("do_flip_channel_order", "channels are red, green, blue here") }
        if let factor = section.number("rescale_factor"), abs(factor * 255 - 1) > 1e-4 {
            throw section.fault("rescale_factor", "pixels are scaled by 1/255 here")
        }
        let type = section.text("image_processor_type") ?? section.text("feature_extractor_type") ?? "CLIPImageProcessor"
        if section.isMissing("image_mean"), !type.hasPrefix("CLIP") {
            throw section.fault("image_mean", "the normalization of a \(type) is not known here")
        }
        normalization = try section.normalization(mean: "image_mean", deviation: "image_std") ?? normalization

        let filters = [0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"]
        if section.flag("do_resize") != false, !section.isMissing("resample") {
            let name = section.integer("resample").flatMap { filters[$0] } ?? section.text("resample")?.lowercased()
            noteFilter(name, section, "resample")
        }
        let size = section.section("size")
        let squeezes = !size.isMissing("height") && !size.isMissing("width") || section.numbers("size")?.count == 2
        if section.flag("do_resize") != false, squeezes {
            note(section, "size", "frames are shrunk by their shorter side and cropped here, not squeezed to a square")
        } else if section.flag("do_center_crop") == false {
            note(section, "do_center_crop", "the middle of a frame is cropped here")
        }
        if section.flag("do_center_crop") != false { try readSide(section, "crop_size") }
    }

    /// open_clip's `preprocess_cfg`.
    mutating func readPreprocessing(_ section: ConfigurationSection) throws(ModelError) {
        if let mode = section.text("mode"), mode != "RGB" { throw section.fault("mode", "only \"RGB\" is computed here") }
        normalization = try section.normalization(mean: "mean", deviation: "std") ?? normalization
        if !section.isMissing("interpolation") { noteFilter(section.text("interpolation"), section, "interpolation") }
        if !section.isMissing("resize_mode"), section.text("resize_mode") != "shortest" {
            note(section, "resize_mode", "frames are shrunk by their shorter side and cropped here, as with \"shortest\"")
        }
        try readSide(section, "size")
    }

    /// The side of the square that the model is said to see, to be held against its tensors.
    private mutating func readSide(_ section: ConfigurationSection, _ key: String) throws(ModelError) {
        guard let side = try section.side(key) else { return }
        pictureSide = (side, section.file.lastPathComponent, section.prefix + key)
    }

    private mutating func noteFilter(_ name: String?, _ section: ConfigurationSection, _ key: String) {
        if name == "bilinear" { return }
        note(section, key, "\(name.map { "that is \(ModelError.excerpt($0)); " } ?? "")frames are resized bilinearly here, as in ViFi-CLIP")
    }

    private mutating func note(_ section: ConfigurationSection, _ key: String, _ words: String) {
        notes.append(section.fault(key, words).description)
    }
}

extension ConfigurationSection {
    func isMissing(_ key: String) -> Bool { members[key] == nil || members[key] == .null }

    /// The side of a square: a number, a list of one or two, or an object with height and width, or with its shortest edge.
    func side(_ key: String) throws(ModelError) -> Int? {
        let sides: [JSONValue]
        switch members[key] {
        case nil, .null: return nil
        case .list(let values): sides = values
        case .object(let parts): sides = ["height", "width", "shortest_edge"].compactMap { parts[$0] }.filter { $0 != .null }
        case let value?: sides = [value]
        }
        guard (1...2).contains(sides.count) else { throw fault(key, "one side or two are needed") }
        let numbers = sides.compactMap(\.wholeNumber)
        guard numbers.count == sides.count, numbers.allSatisfy({ (1...1_000_000).contains($0) }) else {
            throw fault(key, "a whole number from 1 to 1000000 is needed")
        }
        guard numbers.allSatisfy({ $0 == numbers[0] }) else { throw fault(key, "pictures and patches are square here") }
        return numbers[0]
    }

    /// The normalization whose constants stand under these keys: three numbers, or one for all channels.
    func normalization(mean: String, deviation: String) throws(ModelError) -> PixelNormalization? {
        guard !isMissing(mean) || !isMissing(deviation) else { return nil }
        func channels(_ key: String) throws(ModelError) -> [Double] {
            if let one = number(key) { return [one, one, one] }
            guard case .list(let values) = members[key], values.count <= 4 else { throw fault(key, "three numbers are needed") }
            let numbers = values.compactMap(\.double)
            guard numbers.count == values.count else { throw fault(key, "three numbers are needed") }
            return numbers
        }
        let means = try channels(mean), deviations = try channels(deviation)
        guard let known = PixelNormalization(mean: means, deviation: deviations) else {
            throw fault(
                mean, "with \(deviation) \(members[deviation]?.excerpt ?? ""), only the constants of CLIP and of ImageNet, and 0.5 throughout, are computed here")
        }
        return known
    }
}

extension JSONValue {
    /// 224, and 224.0 as some programs write it.
    fileprivate var wholeNumber: Int? { integer ?? double.flatMap { Int(exactly: $0) } }
}
