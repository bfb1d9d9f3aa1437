#ifndef VIFI_FFMPEG_SHIM_H
#define VIFI_FFMPEG_SHIM_H

#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

// Macros with casts, which Swift cannot import.
static inline int vifi_error_again(void) { return AVERROR(EAGAIN); }
static inline int vifi_error_end_of_file(void) { return AVERROR_EOF; }
static inline int vifi_error_exit(void) { return AVERROR_EXIT; }
static inline int vifi_error_input_output(void) { return AVERROR(EIO); }
static inline int vifi_error_invalid(void) { return AVERROR(EINVAL); }
static inline int vifi_error_invalid_data(void) { return AVERROR_INVALIDDATA; }
static inline int vifi_error_no_memory(void) { return AVERROR(ENOMEM); }
static inline int vifi_error_decoder_missing(void) { return AVERROR_DECODER_NOT_FOUND; }
static inline int64_t vifi_no_timestamp(void) { return AV_NOPTS_VALUE; }

typedef int (*vifi_read_function)(void *opaque, uint8_t *buffer, int count);
typedef int (*vifi_write_function)(void *opaque, const uint8_t *buffer, int count);
typedef int64_t (*vifi_seek_function)(void *opaque, int64_t offset, int whence);

// FFmpeg 7 made the written bytes `const`; the cast serves both signatures.
static inline AVIOContext *vifi_io_create(
    void *opaque, int buffer_count, vifi_read_function read, vifi_write_function write, vifi_seek_function seek)
{
    unsigned char *buffer = (unsigned char *)av_malloc(buffer_count);
    if (!buffer)
        return NULL;
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    AVIOContext *io = avio_alloc_context(buffer, buffer_count, write != NULL, opaque, read, write, seek);
#else
    AVIOContext *io = avio_alloc_context(
        buffer, buffer_count, write != NULL, opaque, read, (int (*)(void *, uint8_t *, int))write, seek);
#endif
    if (!io)
        av_free(buffer);
    return io;
}

static inline void vifi_io_free(AVIOContext *io)
{
    if (!io)
        return;
    av_freep(&io->buffer);
    avio_context_free(&io);
}

// A file that names other files (playlist, external track) gets none of them.
static inline int vifi_refuse_open(
    AVFormatContext *context, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    return AVERROR(EPERM);
}

static inline void vifi_forbid_nested_files(AVFormatContext *context)
{
    context->io_open = vifi_refuse_open;
}

// The 3 × 3 display matrix of a stream, or NULL. FFmpeg 7 moved side data to the codec parameters.
static inline const int32_t *vifi_display_matrix(const AVStream *stream)
{
#if LIBAVCODEC_VERSION_MAJOR >= 61
    const AVPacketSideData *data = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)data->data : NULL;
#else
    size_t count = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &count);
    return data && count >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
#endif
}

// How a stream is in Dolby Vision, or NULL where it is not.
static inline const AVDOVIDecoderConfigurationRecord *vifi_dolby_vision(const AVStream *stream)
{
#if LIBAVCODEC_VERSION_MAJOR >= 61
    const AVPacketSideData *data = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DOVI_CONF);
    return data && data->size >= sizeof(AVDOVIDecoderConfigurationRecord)
        ? (const AVDOVIDecoderConfigurationRecord *)data->data : NULL;
#else
    size_t count = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DOVI_CONF, &count);
    return data && count >= sizeof(AVDOVIDecoderConfigurationRecord)
        ? (const AVDOVIDecoderConfigurationRecord *)data : NULL;
#endif
}

// How long a frame is shown, in the stream's time base; 0 where unknown. FFmpeg 6 renamed the field.
static inline int64_t vifi_frame_duration(const AVFrame *frame)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

// Numbers a packet; frames that are made of it bear the number, or -1 where the codec does not hand it on. Counted from
// 1 inside, since a codec that keeps nothing leaves 0. FFmpeg 7 has packets' opaque pointers only.
#if LIBAVCODEC_VERSION_MAJOR >= 60
static inline void vifi_keep_packet_numbers(AVCodecContext *context) { context->flags |= AV_CODEC_FLAG_COPY_OPAQUE; }

static inline void vifi_number_packet(AVCodecContext *context, AVPacket *packet, int64_t number)
{
    (void)context;
    packet->opaque = (void *)(intptr_t)(number + 1);
}

static inline int64_t vifi_frame_number(const AVFrame *frame) { return (int64_t)(intptr_t)frame->opaque - 1; }
#else
static inline void vifi_keep_packet_numbers(AVCodecContext *context) { (void)context; }

static inline void vifi_number_packet(AVCodecContext *context, AVPacket *packet, int64_t number)
{
    (void)packet;
    context->reordered_opaque = number + 1;
}

static inline int64_t vifi_frame_number(const AVFrame *frame) { return frame->reordered_opaque > 0 ? frame->reordered_opaque - 1 : -1; }
#endif

#define VIFI_TEXT_OF(macro) #macro
#define VIFI_TEXT(macro) VIFI_TEXT_OF(macro)

// The input format of cameras (Video4Linux), or NULL where libavdevice is not installed. The library is loaded where somebody
// asks for a camera and never unloaded: it brings some sixty others, for screens and sound. Its version goes with
// libavformat's.
static inline const void *vifi_camera_format(void)
{
    void *library = dlopen("libavdevice.so." VIFI_TEXT(LIBAVFORMAT_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);
    void *make_known = library ? dlsym(library, "avdevice_register_all") : NULL;
    if (!make_known)
        return NULL;
    ((void (*)(void))make_known)();
    return av_find_input_format("v4l2");
}

// As avformat_open_input; FFmpeg 5 made the format `const`, and no pointer serves both in Swift.
static inline int vifi_open_input(AVFormatContext **context, const char *url, const void *format, AVDictionary **options)
{
    return avformat_open_input(context, url, (AVInputFormat *)format, options);
}

static inline void vifi_discard_stream(AVStream *stream) { stream->discard = AVDISCARD_ALL; }

#endif
