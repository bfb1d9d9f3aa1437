import CFFmpeg

/// How a pixel format lays its samples.
struct PixelLayout {
    /// Planes with pixels, each in elements of some bytes; empty where elements are no whole bytes or point into a palette.
    let planes: [Plane]
    let isRGB: Bool
    let isGray: Bool
    /// Each component in a plane of its own, in the order of zimg: R, G, B or Y, Cb, Cr; nil otherwise.
    let componentPlanes: [Int]?
    /// Bits of a sample; the largest of the components.
    let depth: Int
    let isBigEndian: Bool
    let isFloat: Bool
    /// Columns and rows of luma for one of chroma, as powers of two.
    let chromaShift: (columns: Int, rows: Int)

    struct Plane {
        let elementCount: Int
        let columnShift: Int
        let rowShift: Int
    }

    init(_ format: AVPixelFormat) {
        guard let description = unsafe av_pix_fmt_desc_get(format) else {
            planes = []
            (isRGB, isGray, isBigEndian, isFloat) = (false, false, false, false)
            componentPlanes = nil
            depth = 0
            chromaShift = (0, 0)
            return
        }
        let flags = unsafe description.pointee.flags
        func has(_ flag: Int32) -> Bool { flags & UInt64(flag) != 0 }
        let components = unsafe Self.components(description)
        isRGB = has(AV_PIX_FMT_FLAG_RGB)
        isBigEndian = has(AV_PIX_FMT_FLAG_BE)
        isFloat = has(AV_PIX_FMT_FLAG_FLOAT)
        isGray = components.count - (has(AV_PIX_FMT_FLAG_ALPHA) ? 1 : 0) == 1 && !isRGB
        depth = components.map { Int($0.depth) }.max() ?? 0
        let shift = unsafe (columns: Int(description.pointee.log2_chroma_w), rows: Int(description.pointee.log2_chroma_h))
        chromaShift = shift
        let isPlanar = has(AV_PIX_FMT_FLAG_PLANAR)
        let isPacked = !isPlanar && (shift.columns > 0 || shift.rows > 0)
        let hasElements = !has(AV_PIX_FMT_FLAG_BITSTREAM) && !has(AV_PIX_FMT_FLAG_HWACCEL) && !has(AV_PIX_FMT_FLAG_PAL) && !isPacked
        let planeCount = hasElements ? (components.map { Int($0.plane) }.max() ?? -1) + 1 : 0
        let isColor = !isRGB
        planes = (0..<planeCount).map { plane in
            let own = components.enumerated().filter { Int($0.element.plane) == plane }
            let isChroma = isColor && own.allSatisfy { $0.offset == 1 || $0.offset == 2 }
            return Plane(
                elementCount: own.map { Int($0.element.step) }.max() ?? 1,
                columnShift: isChroma ? shift.columns : 0, rowShift: isChroma ? shift.rows : 0)
        }
        let order = components.prefix(isGray ? 1 : 3).map { Int($0.plane) }
        let sampleBytes = depth > 8 ? 2 : 1
        let sampleDepth = depth
        let isWhole = components.allSatisfy { $0.shift == 0 && Int($0.step) == sampleBytes && Int($0.depth) == sampleDepth }
        componentPlanes = planeCount > 0 && (isPlanar || isGray) && isWhole && Set(order).count == order.count ? order : nil
    }

    private static func components(_ description: UnsafePointer<AVPixFmtDescriptor>) -> [AVComponentDescriptor] {
        let all = unsafe description.pointee.comp
        let list = [all.0, all.1, all.2, all.3]
        return Array(list.prefix(Int(unsafe description.pointee.nb_components)))
    }

    /// Rows can become columns: each plane is a grid of elements, and chroma is as coarse in both directions.
    func canTurn(swappingAxes: Bool) -> Bool {
        !planes.isEmpty && (!swappingAxes || chromaShift.columns == chromaShift.rows)
    }
}
