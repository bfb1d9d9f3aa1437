import Files

/// Annotations of ELAN: a document for each recording, of tiers with annotations between time slots in milliseconds.
///
/// Source: ELAN Annotation Format, EAF 3.0, https://www.mpi.nl/tools/elan/EAFv3.0.xsd and its description,
/// https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf.
enum ELANImport {
    /// - Parameter tier: nil for the only one with annotations.
    static func spans(of path: String, tier: String?) throws(DatasetError) -> [LabeledSpan] {
        let document = try DatasetError.xml(path, root: "ANNOTATION_DOCUMENT")
        func fault(_ fault: AnnotationFault) -> DatasetError { DatasetError(path: path, problem: .annotation(fault)) }
        let header = document.first("HEADER")
        if let units = header?["TIME_UNITS"], units != "milliseconds" { throw fault(.otherUnits(units)) }
        guard let (video, origin) = media(header) else { throw fault(.noVideo(place: "the header (MEDIA_DESCRIPTOR)")) }
        var times: [String: Double] = [:]
        for slot in document.first("TIME_ORDER")?.all("TIME_SLOT") ?? [] {
            guard let id = slot["TIME_SLOT_ID"] else { continue }
            // Slots without a time lie somewhere between their neighbors.
            times[id] = slot["TIME_VALUE"].flatMap { ListLine.wholeNumber($0) }.map { (Double($0) + origin) / 1000 }
        }
        let tiers = document.all("TIER").map { (name: $0["TIER_ID"] ?? "", annotations: $0.children.flatMap { $0.all("ALIGNABLE_ANNOTATION") }) }
        let telling = tiers.filter { $0.annotations.contains { !value(of: $0).isEmpty } }
        let chosen = telling.filter { tier == nil || $0.name == tier }
        guard let annotations = chosen.first?.annotations else {
            if let tier { throw fault(.noTier(tier, known: telling.map(\.name))) }
            return []
        }
        guard chosen.count == 1 else { throw fault(.severalTiers(chosen.map(\.name))) }
        var spans: [LabeledSpan] = []
        for annotation in annotations {
            let label = value(of: annotation)
            if label.isEmpty { continue }
            let place = "annotation \(annotation["ANNOTATION_ID"] ?? "?") of line \(annotation.line)"
            guard let start = annotation["TIME_SLOT_REF1"].flatMap({ times[$0] }), let end = annotation["TIME_SLOT_REF2"].flatMap({ times[$0] }) else {
                throw fault(.noTimes(place: place))
            }
            spans.append(try LabeledSpan(video: video, label: label, extent: .seconds(start, end), file: path, place: place))
        }
        return spans
    }

    private static func value(of annotation: XMLTree) -> String {
        (annotation.first("ANNOTATION_VALUE")?.text ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The first video of the recording, and the moment of it, in milliseconds, at which the annotations' time begins.
    private static func media(_ header: XMLTree?) -> (video: String, origin: Double)? {
        let descriptors = header?.all("MEDIA_DESCRIPTOR") ?? []
        func name(_ descriptor: XMLTree) -> String? {
            // Recordings are moved about with their annotations: then the relative name is the right one.
            [descriptor["RELATIVE_MEDIA_URL"], descriptor["MEDIA_URL"]].lazy.compactMap(\.self).first { !$0.isEmpty }
        }
        let isVideo = { (descriptor: XMLTree) in
            descriptor["MIME_TYPE"]?.hasPrefix("video/") == true || name(descriptor).map { VideoEndings.isShownVideo($0.lastPathComponent) } == true
        }
        guard let descriptor = descriptors.first(where: isVideo) ?? (descriptors.count == 1 ? descriptors.first : nil), let video = name(descriptor) else {
            return nil
        }
        return (video, descriptor["TIME_ORIGIN"].flatMap { ListLine.wholeNumber($0) }.map(Double.init) ?? 0)
    }
}

extension DatasetError {
    /// Reads an XML document whose outermost element is `root`.
    static func xml(_ path: String, root: String) throws(DatasetError) -> XMLTree {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: XMLTree.byteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        do throws(XMLTree.Fault) {
            let document = try XMLTree.read(bytes)
            guard document.name == root else {
                throw XMLTree.Fault(line: document.line, reason: "its outermost element is <\(document.name)>, and <\(root)> is expected")
            }
            return document
        } catch {
            throw DatasetError(path: path, line: error.line, problem: .annotation(.notXML(reason: error.reason)))
        }
    }
}
