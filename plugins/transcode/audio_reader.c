/* SPDX-License-Identifier: MIT */
/*
 * See audio_reader.h. Frames go through a queue, because the place of a frame is told from the time stamps of many: containers round them (Matroska
 * to 1 ms: 48 samples), so one time stamp can't say on which sample a chunk begins. Within a chunk samples are counted; where the time stamps of a
 * row of frames all say that the count is wrong, there is a gap (filled with silence) or an overlap (dropped).
 * Resampling starts on a source sample that falls on an output sample exactly, so that every chunk has the same phase.
 */
#include "audio_reader.h"
#include "media/decoder.h"

#include <libavutil/audio_fifo.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE = 32,               /* frames looked at to find the place of the first */
    GAP_WINDOW = 8,           /* frames that must agree before a gap is believed */
    JITTER_MS = 3,            /* time stamps that agree this well are right but for rounding */
    GAP_MS = 10,              /* deviations up to this are jitter */
    DECODER_PREROLL_MS = 500, /* decoded before the first sample wanted: bit reservoirs, overlaps, band replication */
    FILTER_MARGIN = 64,       /* source samples that the resampler looks to either side, with room */
    BLOCK = 4096,             /* samples of silence given to the resampler at once */
    VORBIS_GRID = 64,         /* Vorbis mixes short and long frames, all multiples of this */
    MIN_RATE = 1000,
    MAX_RATE = 768000,
    MAX_CHANNELS = 64,
};

typedef struct queued_frame {
    AVFrame *frame;
    int64_t us;
} queued_frame;

struct mr_audio_reader {
    const mr_host *host;
    mr_task *task;
    mr_audio_reader_options options;
    AVFormatContext *format;
    mr_decoder *decoder;
    queued_frame queue[QUEUE];
    int queued;
    bool variable_frames; /* a run of equal frames says nothing about those before */
    bool ended;           /* no frames beyond the queue */
    bool anchored;        /* count is meant */
    bool flushed;
    double tick;        /* of the stream's time base, seconds */
    int64_t count;      /* place of the next sample of the source, in its own rate, from time 0 */
    int64_t silence;    /* samples of the source that a gap still lacks */
    int64_t place;      /* of the next sample to be read */
    int got;            /* of the last read */
    SwrContext *swr;    /* NULL: nothing was given to it yet */
    AVFrame *format_of; /* properties of the frames that swr takes */
    int64_t produced;   /* place of the next sample that comes out of swr */
    AVAudioFifo *fifo;
    int64_t fifo_end; /* place of the sample after the fifo's last */
    float *zeros;
    uint8_t **scratch; /* what swr writes into */
    int scratch_samples;
};

AVChannelLayout mr_audio_layout(const char *name, int channels)
{
    AVChannelLayout layout = {0};
    if (name && av_channel_layout_from_string(&layout, name) == 0 && layout.order == AV_CHANNEL_ORDER_NATIVE && layout.nb_channels == channels)
        return layout;
    bool ambisonic = layout.order == AV_CHANNEL_ORDER_AMBISONIC;
    av_channel_layout_uninit(&layout);
    if (!ambisonic && channels > 0 && channels <= MAX_CHANNELS)
        av_channel_layout_default(&layout, channels);
    if (layout.order != AV_CHANNEL_ORDER_NATIVE)
        layout = channels == 1 ? (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO : (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    return layout;
}

/* ---- the queue of decoded frames ---- */

static void queue_pop(mr_audio_reader *reader)
{
    AVFrame *first = reader->queue[0].frame;
    av_frame_unref(first);
    memmove(&reader->queue[0], &reader->queue[1], sizeof(reader->queue[0]) * (QUEUE - 1));
    reader->queue[QUEUE - 1] = (queued_frame){.frame = first};
    reader->queued--;
}

static mr_status queue_fill(mr_audio_reader *reader)
{
    while (reader->queued < QUEUE && !reader->ended) {
        queued_frame *slot = &reader->queue[reader->queued];
        mr_status status = mr_decoder_next(reader->decoder, slot->frame, &slot->us);
        if (status == MR_END) {
            reader->ended = true;
            return MR_OK;
        }
        if (status != MR_OK)
            return status;
        const AVFrame *frame = slot->frame;
        if (frame->nb_samples <= 0 || frame->sample_rate < MIN_RATE || frame->sample_rate > MAX_RATE || frame->ch_layout.nb_channels < 1 ||
            frame->ch_layout.nb_channels > MAX_CHANNELS) {
            av_frame_unref(slot->frame);
            continue;
        }
        reader->queued++;
    }
    return MR_OK;
}

/* ---- where frames lie ---- */

static int64_t divide_down(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

/* The place that a time stamp gives, in samples of the source. Told from the track's start, from which it is a whole number of samples in sane files.
 */
static double place_of(const mr_audio_reader *reader, int64_t us, int rate)
{
    double start = round((double)(reader->options.track_start_us - reader->options.origin_us) * rate / 1e6);
    return start + (double)(us - reader->options.track_start_us) * rate / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many frames at the head of the queue are of one kind, at most limit. */
static int row_length(const mr_audio_reader *reader, int limit)
{
    int n = 0;
    while (n < reader->queued && n < limit && reader->queue[n].frame->sample_rate == reader->queue[0].frame->sample_rate)
        n++;
    return n;
}

/* What the time stamps of a row of frames say about the place of the first, as samples after where counting puts it. */
typedef struct row_place {
    double off;
    double spread;   /* how far apart the answers lie that off is taken from */
    double smallest; /* the least of all answers by size; 0 when they disagree on the direction */
    int agreeing;    /* frames at the head that agree but for rounding; 0: time stamps jitter */
} row_place;

static double gap_limit(const mr_audio_reader *reader, int rate)
{
    return fmax(GAP_MS * rate / 1000.0, 2 * reader->tick * rate);
}

/* Do the frames from number `first` on lie beyond a gap or overlap, rather than jitter? */
static bool is_step(const mr_audio_reader *reader, const double *answers, int first, int n, double before)
{
    int rate = reader->queue[0].frame->sample_rate;
    bool later = true;
    bool earlier = true;
    for (int i = first; i < n && i < first + GAP_WINDOW; i++) {
        later = later && answers[i] - before > gap_limit(reader, rate);
        earlier = earlier && before - answers[i] > gap_limit(reader, rate);
    }
    return later || earlier;
}

/*
 * Rounding moves each time stamp by up to half a tick either way, and over a row of frames it takes all values: so the middle of the range is right
 * to a fraction of it. Wide ranges are jitter, for which the median stands.
 */
static row_place place_row(const mr_audio_reader *reader, int64_t count, int n)
{
    double all[QUEUE];
    int rate = reader->queue[0].frame->sample_rate;
    double limit = fmax(JITTER_MS * rate / 1000.0, 2 * reader->tick * rate + 1);
    double low = 0;
    double high = 0;
    row_place row = {0};
    bool agree = true;
    if (n < 1)
        return row;
    for (int i = 0; i < n; i++) {
        all[i] = place_of(reader, reader->queue[i].us, rate) - (double)count;
        count += reader->queue[i].frame->nb_samples;
        agree = agree && (i == 0 || fmax(high, all[i]) - fmin(low, all[i]) <= limit);
        if (!agree)
            continue;
        low = i ? fmin(low, all[i]) : all[i];
        high = i ? fmax(high, all[i]) : all[i];
        row.agreeing++;
    }
    row.off = (low + high) / 2;
    row.spread = high - low;
    if (row.agreeing < n && row.agreeing < GAP_WINDOW && !is_step(reader, all, row.agreeing, n, row.off)) {
        row.agreeing = 0;
        qsort(all, (size_t)n, sizeof(*all), compare_doubles);
        row.off = all[n / 2];
    }
    low = high = all[0];
    for (int i = 1; i < n; i++) {
        low = fmin(low, all[i]);
        high = fmax(high, all[i]);
    }
    row.smallest = low > 0 ? low : high < 0 ? -high : 0;
    return row;
}

/*
 * The place of the first queued frame, given what its row says. Codecs with frames of one length, or of multiples of one, put them on a grid that
 * starts with the track: that is more exact than time stamps, as long as the grid is coarser than their error. The first and the last frame may be
 * cut.
 */
static int64_t snapped(const mr_audio_reader *reader, double place, const row_place *row)
{
    int n = row->agreeing;
    int rate = reader->queue[0].frame->sample_rate;
    int cut = n > 1 ? reader->queue[0].frame->nb_samples : 0;
    int64_t grid = reader->variable_frames ? VORBIS_GRID : 0;
    for (int i = n > 1; i < n - (n > 2); i++)
        grid = av_gcd(grid, reader->queue[i].frame->nb_samples);
    double error = fmax(row->spread, reader->tick * rate) / 2 + row->spread / 8 + 2;
    if (n == 0 || (double)grid < 2 * error)
        return llround(place);
    double start =
        place_of(reader, reader->options.track_start_us, rate) - reader->format->streams[reader->options.stream]->codecpar->initial_padding;
    double on_grid = start + round((place + cut - start) / (double)grid) * (double)grid - cut;
    return llround(fabs(on_grid - place) <= error ? on_grid : place);
}

static void anchor(mr_audio_reader *reader)
{
    int n = row_length(reader, QUEUE);
    int64_t first = llround(place_of(reader, reader->queue[0].us, reader->queue[0].frame->sample_rate));
    const row_place row = place_row(reader, first, n);
    reader->count = snapped(reader, (double)first + row.off, &row);
    reader->silence = 0;
    reader->anchored = true;
}

/* Returns the samples to drop from the first frame, or sets silence to be put before it. */
static int64_t check_gap(mr_audio_reader *reader)
{
    int rate = reader->queue[0].frame->sample_rate;
    int n = row_length(reader, GAP_WINDOW);
    const row_place row = place_row(reader, reader->count, n);
    if (row.smallest <= gap_limit(reader, rate))
        return 0;
    int64_t place = snapped(reader, (double)reader->count + row.off, &row);
    if (place >= reader->count) {
        reader->silence = place - reader->count;
        return 0;
    }
    return reader->count - place;
}

/* ---- resampling ---- */

static bool same_kind(const AVFrame *a, const AVFrame *b)
{
    return a->sample_rate == b->sample_rate && a->format == b->format && av_channel_layout_compare(&a->ch_layout, &b->ch_layout) == 0;
}

/* Layouts that libswresample can't mix: the first channels stand for the layout's; of ambisonics, the omnidirectional one for all. */
static int mix_by_hand(SwrContext *swr, const AVChannelLayout *in, const AVChannelLayout *out)
{
    double *matrix = calloc((size_t)in->nb_channels * (size_t)out->nb_channels, sizeof(*matrix));
    if (!matrix)
        return AVERROR(ENOMEM);
    for (int o = 0; o < out->nb_channels; o++) {
        int i = in->order == AV_CHANNEL_ORDER_AMBISONIC ? 0 : o < in->nb_channels ? o : in->nb_channels - 1;
        matrix[o * in->nb_channels + i] = 1;
    }
    int error = swr_set_matrix(swr, matrix, in->nb_channels);
    free(matrix);
    return error;
}

static int make_resampler(mr_audio_reader *reader, const AVFrame *frame)
{
    AVChannelLayout in = {0};
    bool by_hand = false;
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_NATIVE)
        in = frame->ch_layout;
    else if (frame->ch_layout.nb_channels == reader->options.layout.nb_channels && frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        in = reader->options.layout;
    else if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&in, frame->ch_layout.nb_channels);
    if (in.order != AV_CHANNEL_ORDER_NATIVE) {
        by_hand = true;
        in = (AVChannelLayout){.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = frame->ch_layout.nb_channels};
    }
    int error = swr_alloc_set_opts2(&reader->swr, &reader->options.layout, AV_SAMPLE_FMT_FLTP, reader->options.rate, &in,
                                    (enum AVSampleFormat)frame->format, frame->sample_rate, 0, NULL);
    if (error >= 0)
        error = av_opt_set_double(reader->swr, "rematrix_maxval", 1.0, 0);
    if (error >= 0 && by_hand)
        error = mix_by_hand(reader->swr, &frame->ch_layout, &reader->options.layout);
    return error >= 0 ? swr_init(reader->swr) : error;
}

/* Appends what swr gave (count samples, the first at `produced`): earlier ones than the fifo's end are dropped, a hole before them is silence. */
static int take_output(mr_audio_reader *reader, int count)
{
    void *planes[MAX_CHANNELS];
    int channels = reader->options.layout.nb_channels;
    int64_t place = reader->produced;
    reader->produced += count;
    int64_t skip = reader->fifo_end - place;
    if (skip >= count)
        return 0;
    for (; skip < 0; skip = reader->fifo_end - place) {
        int n = -skip < BLOCK ? (int)-skip : BLOCK;
        for (int c = 0; c < channels; c++)
            planes[c] = reader->zeros;
        int written = av_audio_fifo_write(reader->fifo, planes, n);
        if (written < 0)
            return written;
        reader->fifo_end += n;
    }
    for (int c = 0; c < channels; c++)
        planes[c] = reader->scratch[c] + (size_t)skip * sizeof(float);
    int written = av_audio_fifo_write(reader->fifo, planes, count - (int)skip);
    if (written < 0)
        return written;
    reader->fifo_end += count - skip;
    return 0;
}

/* Gives swr count samples (data NULL: what is left in it comes out) and takes what comes out. */
static int convert(mr_audio_reader *reader, const uint8_t **data, int count)
{
    int room = swr_get_out_samples(reader->swr, count);
    if (room < 0)
        return room;
    if (room > reader->scratch_samples) {
        if (reader->scratch)
            av_freep(&reader->scratch[0]);
        av_freep(&reader->scratch);
        reader->scratch_samples = 0;
        int error = av_samples_alloc_array_and_samples(&reader->scratch, NULL, reader->options.layout.nb_channels, room, AV_SAMPLE_FMT_FLTP, 0);
        if (error < 0)
            return error;
        reader->scratch_samples = room;
    }
    int made = swr_convert(reader->swr, reader->scratch, reader->scratch_samples, data, count);
    return made < 0 ? made : take_output(reader, made);
}

static int feed_silence(mr_audio_reader *reader, int count)
{
    uint8_t **data = NULL;
    int channels = reader->format_of->ch_layout.nb_channels;
    enum AVSampleFormat format = (enum AVSampleFormat)reader->format_of->format;
    int error = av_samples_alloc_array_and_samples(&data, NULL, channels, count, format, 0);
    if (error >= 0) {
        av_samples_set_silence(data, 0, count, channels, format);
        error = convert(reader, (const uint8_t **)data, count);
        av_freep(&data[0]);
    }
    av_freep(&data);
    return error;
}

static int end_resampler(mr_audio_reader *reader)
{
    int error = reader->swr ? convert(reader, NULL, 0) : 0;
    swr_free(&reader->swr);
    return error;
}

/* Starts at the source sample `count` or shortly before, with silence up to it: at one that is an output sample as well. */
static int start_resampler(mr_audio_reader *reader, const AVFrame *frame)
{
    int64_t common = av_gcd(frame->sample_rate, reader->options.rate);
    int64_t step_in = frame->sample_rate / common;
    int64_t steps = divide_down(reader->count, step_in);
    int64_t lead = reader->count - steps * step_in;
    av_frame_unref(reader->format_of);
    int error = av_frame_copy_props(reader->format_of, frame);
    if (error >= 0)
        error = av_channel_layout_copy(&reader->format_of->ch_layout, &frame->ch_layout);
    reader->format_of->format = frame->format;
    reader->format_of->sample_rate = frame->sample_rate;
    if (error >= 0)
        error = make_resampler(reader, frame);
    reader->produced = steps * (reader->options.rate / common);
    while (error >= 0 && lead > 0) {
        int n = lead < BLOCK ? (int)lead : BLOCK;
        error = feed_silence(reader, n);
        lead -= n;
    }
    return error;
}

/* The first source sample that matters, in a rate. */
static int64_t first_needed(const mr_audio_reader *reader, int rate)
{
    int64_t common = av_gcd(rate, reader->options.rate);
    int64_t step_in = FFMAX(rate / common, 1);
    int64_t step_out = FFMAX(reader->options.rate / common, 1);
    int64_t place = divide_down(reader->options.start, step_out) * step_in;
    return place - (FILTER_MARGIN + step_in - 1) / step_in * step_in;
}

/* Gives the queue's first frame, without its first `drop` samples, to the resampler. */
static int feed_frame(mr_audio_reader *reader, int64_t drop)
{
    const uint8_t *planes[MAX_CHANNELS];
    AVFrame *frame = reader->queue[0].frame;
    int channels = frame->ch_layout.nb_channels;
    if (reader->swr && !same_kind(reader->format_of, frame)) {
        int error = end_resampler(reader);
        if (error < 0)
            return error;
    }
    if (!reader->swr) {
        int64_t early = first_needed(reader, frame->sample_rate) - reader->count;
        if (early > 0) {
            int64_t before = early < frame->nb_samples - drop ? early : frame->nb_samples - drop;
            drop += before > 0 ? before : 0;
            reader->count += before > 0 ? before : 0;
        }
    }
    if (drop >= frame->nb_samples)
        return 0;
    if (!reader->swr) {
        int error = start_resampler(reader, frame);
        if (error < 0)
            return error;
    }
    bool planar = av_sample_fmt_is_planar((enum AVSampleFormat)frame->format);
    size_t stride = (size_t)av_get_bytes_per_sample((enum AVSampleFormat)frame->format) * (size_t)(planar ? 1 : channels);
    for (int c = 0; c < (planar ? channels : 1); c++)
        planes[c] = frame->extended_data[c] + (size_t)drop * stride;
    reader->count += frame->nb_samples - drop;
    return convert(reader, planes, frame->nb_samples - (int)drop);
}

/* ---- reading ---- */

/* Makes the fifo longer, or ends with flushed set when there is nothing more. */
static mr_status pump(mr_audio_reader *reader)
{
    int error = 0;
    if (reader->silence > 0 && reader->swr) {
        int n = reader->silence < BLOCK ? (int)reader->silence : BLOCK;
        error = feed_silence(reader, n);
        reader->silence -= n;
        reader->count += n;
        return error < 0 ? mr_media_error(reader->host, reader->task, error, "resampling") : MR_OK;
    }
    reader->count += reader->silence; /* before the first sample that matters: nothing to fill */
    reader->silence = 0;
    mr_status status = queue_fill(reader);
    if (status != MR_OK)
        return status;
    if (reader->queued == 0) {
        error = end_resampler(reader);
        reader->flushed = true;
    } else {
        if (reader->format_of->sample_rate && reader->queue[0].frame->sample_rate != reader->format_of->sample_rate)
            reader->anchored = false;
        if (!reader->anchored)
            anchor(reader);
        int64_t drop = check_gap(reader);
        if (reader->silence > 0)
            return MR_OK;
        error = feed_frame(reader, drop);
        queue_pop(reader);
    }
    return error < 0 ? mr_media_error(reader->host, reader->task, error, "resampling") : MR_OK;
}

mr_status mr_audio_reader_read(mr_audio_reader *reader, float *const *planes, int count)
{
    int channels = reader->options.layout.nb_channels;
    while (av_audio_fifo_size(reader->fifo) < count && !reader->flushed) {
        if (reader->host->cancelled(reader->task))
            return MR_ERR_CANCELLED;
        mr_status status = pump(reader);
        if (status != MR_OK)
            return status;
    }
    int got = av_audio_fifo_read(reader->fifo, (void **)planes, count);
    if (got < 0)
        return mr_media_error(reader->host, reader->task, got, "reading samples");
    int64_t keep = reader->options.end - reader->place;
    if (keep < got)
        got = keep > 0 ? (int)keep : 0;
    for (int c = 0; c < channels; c++)
        memset(planes[c] + got, 0, (size_t)(count - got) * sizeof(float));
    reader->place += count;
    reader->got = got;
    return MR_OK;
}

int mr_audio_reader_got(const mr_audio_reader *reader)
{
    return reader->got;
}

double mr_audio_reader_passed(const mr_audio_reader *reader)
{
    return (double)avio_tell(reader->format->pb) / (double)mr_media_size(reader->format);
}

/* ---- opening ---- */

/* The decoder starts early, so that what it carries from frame to frame is right by the first sample wanted. */
static int64_t decode_from_us(const mr_audio_reader_options *options)
{
    return options->origin_us + av_rescale(options->start, 1000000, options->rate) - DECODER_PREROLL_MS * INT64_C(1000);
}

static mr_status go_to_start(mr_audio_reader *reader)
{
    int64_t target = decode_from_us(&reader->options);
    return target > reader->options.track_start_us ? mr_decoder_seek(reader->decoder, target) : MR_OK;
}

static mr_media_part part_of(const mr_audio_reader_options *options)
{
    mr_media_part part = {.stream = options->stream, .bounds = options->bounds};
    if (options->until > 0) {
        part.from_us = decode_from_us(options);
        part.to_us = options->until == INT64_MAX ? INT64_MAX : options->origin_us + av_rescale(options->until, 1000000, options->rate);
    }
    return part;
}

static mr_status reader_init(mr_audio_reader *reader, const mr_artifact *source)
{
    const mr_media_part part = part_of(&reader->options);
    mr_status status = mr_media_open_part(reader->host, reader->task, source, &part, &reader->format);
    if (status != MR_OK)
        return status;
    if (reader->options.stream < 0 || (unsigned)reader->options.stream >= reader->format->nb_streams) {
        reader->host->report(reader->task, MR_SEVERITY_ERROR, NULL, NULL, "the source has no stream %d", reader->options.stream);
        return MR_ERR_INPUT;
    }
    const AVStream *stream = reader->format->streams[reader->options.stream];
    reader->tick = av_q2d(stream->time_base);
    reader->variable_frames = stream->codecpar->codec_id == AV_CODEC_ID_VORBIS;
    status = mr_decoder_open(reader->host, reader->task, reader->format, reader->options.stream, NULL, &reader->decoder);
    if (status == MR_OK && part.to_us > part.from_us)
        status = mr_media_ask_ahead(reader->format, reader->options.stream, part.to_us);
    if (status != MR_OK)
        return status;
    reader->fifo = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLTP, reader->options.layout.nb_channels, BLOCK);
    reader->zeros = calloc(BLOCK, sizeof(float));
    reader->format_of = av_frame_alloc();
    bool complete = reader->fifo && reader->zeros && reader->format_of;
    for (int i = 0; i < QUEUE; i++) {
        reader->queue[i].frame = av_frame_alloc();
        complete = complete && reader->queue[i].frame;
    }
    return complete ? go_to_start(reader) : mr_media_error(reader->host, reader->task, AVERROR(ENOMEM), "reading sound");
}

mr_status mr_audio_reader_open(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_audio_reader_options *options,
                               mr_audio_reader **ret_reader)
{
    mr_audio_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return MR_ERR_NOMEM;
    reader->host = host;
    reader->task = task;
    reader->options = *options;
    reader->place = options->start;
    reader->fifo_end = options->start;
    mr_status status = reader_init(reader, source);
    if (status != MR_OK) {
        mr_audio_reader_close(reader);
        reader = NULL;
    }
    *ret_reader = reader;
    return status;
}

void mr_audio_reader_close(mr_audio_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < QUEUE; i++)
        av_frame_free(&reader->queue[i].frame);
    if (reader->scratch)
        av_freep(&reader->scratch[0]);
    av_freep(&reader->scratch);
    swr_free(&reader->swr);
    av_frame_free(&reader->format_of);
    if (reader->fifo)
        av_audio_fifo_free(reader->fifo);
    free(reader->zeros);
    mr_decoder_close(reader->decoder);
    mr_media_close(&reader->format);
    free(reader);
}
