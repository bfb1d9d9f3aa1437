import CFFmpeg
import CKernels
import CZimg

/// A chain of zimg's filters with the memory that it works in.
@safe struct ToneGraph: ~Copyable {
    /// Of pictures' addresses and rows, enough for every processor.
    static let alignment = 64

    /// Everything that the chain depends on.
    struct Key: Equatable {
        var width: Int32
        var height: Int32
        var format: Int32
        var tags: ColorTags
        var chromaLocation: AVChromaLocation
        var outputWidth: Int
        var outputHeight: Int

        init(_ frame: UnsafeMutablePointer<AVFrame>, tags: ColorTags, outputWidth: Int, outputHeight: Int) {
            width = unsafe frame.pointee.width
            height = unsafe frame.pointee.height
            format = unsafe frame.pointee.format
            self.tags = tags
            chromaLocation = unsafe frame.pointee.chroma_location
            self.outputWidth = outputWidth
            self.outputHeight = outputHeight
        }
    }

    let key: Key
    private let planes: [Int]
    private let chain: OpaquePointer
    private let scratch: UnsafeMutableRawPointer
    /// A ring of output lines, plane by plane.
    private let lines: UnsafeMutableRawPointer
    private let lineStride: Int
    private let lineCount: Int
    private let lineMask: UInt32

    init(_ key: Key) throws(ConversionFailure) {
        let layout = PixelLayout(AVPixelFormat(key.format))
        var input = zimg_image_format()
        var output = zimg_image_format()
        var parameters = zimg_graph_builder_params()
        unsafe zimg_image_format_default(&input, vifi_zimg_version())
        unsafe zimg_image_format_default(&output, vifi_zimg_version())
        unsafe zimg_graph_builder_params_default(&parameters, vifi_zimg_version())
        Self.describe(&input, key, layout)
        output.width = UInt32(key.outputWidth)
        output.height = UInt32(key.outputHeight)
        output.pixel_type = ZIMG_PIXEL_FLOAT
        output.color_family = ZIMG_COLOR_RGB
        output.matrix_coefficients = ZIMG_MATRIX_RGB
        output.transfer_characteristics = ZIMG_TRANSFER_BT709
        output.color_primaries = ZIMG_PRIMARIES_BT709
        output.pixel_range = ZIMG_RANGE_FULL
        // Chroma as zscale brings it to the size of luma.
        parameters.resample_filter = ZIMG_RESIZE_BILINEAR
        parameters.resample_filter_uv = ZIMG_RESIZE_BILINEAR
        parameters.nominal_peak_luminance = ToneMapper.referenceWhite
        parameters.allow_approximate_gamma = 1
        // As zscale: pictures lie at multiples of 64 bytes here.
        parameters.cpu_type = ZIMG_CPU_AUTO_64B
        guard let chain = unsafe zimg_filter_graph_build(&input, &output, &parameters) else {
            throw ConversionFailure(reason: Self.lastError())
        }
        var byteCount = 0
        var count: UInt32 = 0
        guard unsafe zimg_filter_graph_get_tmp_size(chain, &byteCount) == ZIMG_ERROR_SUCCESS,
            unsafe zimg_filter_graph_get_output_buffering(chain, &count) == ZIMG_ERROR_SUCCESS
        else {
            unsafe zimg_filter_graph_free(chain)
            throw ConversionFailure(reason: Self.lastError())
        }
        lineMask = zimg_select_buffer_mask(min(count, UInt32(key.outputHeight)))
        let ring = lineMask == vifi_zimg_whole_plane() ? key.outputHeight : Int(lineMask) + 1
        let stride = (key.outputWidth * MemoryLayout<Float>.stride + Self.alignment - 1) / Self.alignment * Self.alignment
        lineStride = stride
        lineCount = ring
        unsafe scratch = .allocate(byteCount: max(byteCount, Self.alignment), alignment: Self.alignment)
        unsafe lines = .allocate(byteCount: 3 * ring * stride, alignment: Self.alignment)
        unsafe self.chain = chain
        self.key = key
        planes = layout.componentPlanes ?? []
    }

    deinit {
        unsafe zimg_filter_graph_free(chain)
        unsafe scratch.deallocate()
        unsafe lines.deallocate()
    }

    /// What is open stands for what goes with the transfer: BT.2100's primaries, matrix and narrow range.
    private static func describe(_ input: inout zimg_image_format, _ key: Key, _ layout: PixelLayout) {
        let tags = key.tags
        input.width = UInt32(key.width)
        input.height = UInt32(key.height)
        input.pixel_type = layout.depth > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE
        input.depth = UInt32(layout.depth)
        input.subsample_w = UInt32(layout.chromaShift.columns)
        input.subsample_h = UInt32(layout.chromaShift.rows)
        input.color_family = layout.isRGB ? ZIMG_COLOR_RGB : layout.isGray ? ZIMG_COLOR_GREY : ZIMG_COLOR_YUV
        input.transfer_characteristics = tags.dynamicRange == .hlg ? ZIMG_TRANSFER_ARIB_B67 : ZIMG_TRANSFER_ST2084
        let primaries: [AVColorPrimaries] = [
            AVCOL_PRI_BT709, AVCOL_PRI_BT470M, AVCOL_PRI_BT470BG, AVCOL_PRI_SMPTE170M, AVCOL_PRI_SMPTE240M, AVCOL_PRI_FILM,
            AVCOL_PRI_BT2020, AVCOL_PRI_SMPTE428, AVCOL_PRI_SMPTE431, AVCOL_PRI_SMPTE432, AVCOL_PRI_EBU3213,
        ]
        input.color_primaries =
            primaries.contains(tags.primaries) ? zimg_color_primaries_e(Int32(tags.primaries.rawValue)) : ZIMG_PRIMARIES_BT2020
        let matrices: [AVColorSpace] = [
            AVCOL_SPC_BT709, AVCOL_SPC_FCC, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M, AVCOL_SPC_SMPTE240M, AVCOL_SPC_YCGCO,
            AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL, AVCOL_SPC_CHROMA_DERIVED_NCL, AVCOL_SPC_CHROMA_DERIVED_CL, AVCOL_SPC_ICTCP,
        ]
        input.matrix_coefficients =
            layout.isRGB
            ? ZIMG_MATRIX_RGB
            : matrices.contains(tags.matrix) ? zimg_matrix_coefficients_e(Int32(tags.matrix.rawValue)) : ZIMG_MATRIX_BT2020_NCL
        let isFullByDefault = layout.isRGB || layout.isGray && tags.range == AVCOL_RANGE_UNSPECIFIED
        input.pixel_range =
            tags.range == AVCOL_RANGE_JPEG || tags.range == AVCOL_RANGE_UNSPECIFIED && isFullByDefault
            ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED
        // Both count from 0 for left; FFmpeg has one more in front, for unknown.
        if key.chromaLocation != AVCHROMA_LOC_UNSPECIFIED {
            input.chroma_location = zimg_chroma_location_e(Int32(key.chromaLocation.rawValue) - 1)
        }
    }

    /// - Parameter rgb: room for the whole picture.
    func run(_ frame: UnsafeMutablePointer<AVFrame>, into rgb: UnsafeMutablePointer<UInt8>) throws(ConversionFailure) {
        var input = zimg_image_buffer_const()
        var output = zimg_image_buffer()
        var picture = unsafe vifi_bright_picture()
        input.version = vifi_zimg_version()
        output.version = vifi_zimg_version()
        for (component, plane) in planes.enumerated() {
            let (start, stride) = unsafe frame.plane(plane)
            unsafe vifi_zimg_set_input(&input, Int32(component), start, stride)
        }
        for component in 0..<3 {
            unsafe vifi_zimg_set_output(&output, Int32(component), ring(component), lineStride, lineMask)
        }
        unsafe picture.plane = (UnsafePointer(ring(0)), UnsafePointer(ring(1)), UnsafePointer(ring(2)))
        unsafe picture.stride = (lineStride, lineStride, lineStride)
        unsafe picture.mask = lineMask
        unsafe picture.rgb = rgb
        unsafe picture.width = key.outputWidth
        unsafe picture.knee = ToneMapper.knee
        let code = unsafe zimg_filter_graph_process(chain, &input, &output, scratch, nil, nil, vifi_roll_off_line, &picture)
        guard code == ZIMG_ERROR_SUCCESS else { throw ConversionFailure(reason: Self.lastError()) }
    }

    /// The output lines of a component.
    private func ring(_ component: Int) -> UnsafeMutablePointer<UInt8> {
        unsafe (lines + component * lineCount * lineStride).assumingMemoryBound(to: UInt8.self)
    }

    private static func lastError() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        unsafe zimg_get_last_error(&buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
