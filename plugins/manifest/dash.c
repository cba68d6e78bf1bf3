/* SPDX-License-Identifier: MIT */
/*
 * The MPD: ISO/IEC 23009-1, static, one period, DASH-IF IOP. The same segments as HLS.
 *
 * Time: CMAF tracks are addressed after their edit list. S@t and S@d are presentation time (media time less priming), so that 0 is the same
 * instant in every track and no @presentationTimeOffset is needed: players that apply the edit list (browsers' MSE, libavformat) play in step,
 * and one that ignores it is late by the priming alone, 21 ms.
 */
#include "manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct mpd {
    mr_text *out;
    const mr_model *model;
    int next_id; /* AdaptationSet@id */
};

static void add_duration(mr_text *out, int64_t us)
{
    text_add(out, "PT%" PRId64, us / 1000000);
    int64_t rest = us % 1000000;
    if (rest > 0) {
        int digits = 6;
        for (; rest % 10 == 0; rest /= 10)
            digits--;
        text_add(out, ".%0*" PRId64, digits, rest);
    }
    text_add(out, "S");
}

static int64_t presented(const mr_rendition *rendition, int64_t ticks)
{
    return ticks > rendition->priming ? ticks - rendition->priming : 0;
}

static int64_t piece_start(const mr_rendition *rendition, size_t i)
{
    return presented(rendition, rendition->pieces[i].start);
}

static int64_t piece_length(const mr_rendition *rendition, size_t i)
{
    return presented(rendition, rendition->pieces[i].start + rendition->pieces[i].duration) - piece_start(rendition, i);
}

static bool same_timeline(const mr_rendition *a, const mr_rendition *b)
{
    if (a->timescale != b->timescale || a->count != b->count || strcmp(a->ext, b->ext) != 0 || strcmp(a->init_ext, b->init_ext) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (piece_start(a, i) != piece_start(b, i) || piece_length(a, i) != piece_length(b, i))
            return false;
    }
    return true;
}

static void add_template(mr_text *out, const mr_rendition *rendition, const char *indent)
{
    text_add(out,
             "%s<SegmentTemplate timescale=\"%" PRId64
             "\" initialization=\"$RepresentationID$/init.%s\" media=\"$RepresentationID$/$Number%%05d$.%s\" "
             "startNumber=\"0\">\n%s  <SegmentTimeline>\n",
             indent, rendition->timescale, rendition->init_ext, rendition->ext, indent);
    for (size_t i = 0; i < rendition->count;) {
        size_t run = 1;
        int64_t length = piece_length(rendition, i);
        while (i + run < rendition->count && piece_length(rendition, i + run) == length)
            run++;
        text_add(out, "%s    <S", indent);
        if (i == 0)
            text_add(out, " t=\"%" PRId64 "\"", piece_start(rendition, 0));
        text_add(out, " d=\"%" PRId64 "\"", length);
        if (run > 1)
            text_add(out, " r=\"%zu\"", run - 1);
        text_add(out, "/>\n");
        i += run;
    }
    text_add(out, "%s  </SegmentTimeline>\n%s</SegmentTemplate>\n", indent, indent);
}

/* The schema's numbers of bits a second, like most of its numbers, are 32 bits wide. */
static void add_bandwidth(mr_text *out, int64_t bits)
{
    text_add(out, " bandwidth=\"%" PRId64 "\"", bits < UINT32_MAX ? bits : UINT32_MAX);
}

static int64_t peak_of(const struct mpd *mpd, const mr_rendition *rendition)
{
    if (rendition->present < rendition->count)
        return rendition_ceiling(rendition);
    return rendition_bitrate(rendition, rendition->count, target_seconds(mpd->model, rendition, rendition->count), false).peak;
}

/* Common to what may be switched: pictures of one codec and range; one encoding of one sound track. */
static bool same_set(const mr_rendition *a, const mr_rendition *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || strcmp(a->codec_name, b->codec_name) != 0)
        return false;
    if (a->kind == KIND_VIDEO)
        return strcmp(a->video_range, b->video_range) == 0;
    return a->kind == KIND_AUDIO && a->stream >= 0 && a->stream == b->stream && a->channels == b->channels && a->sample_rate == b->sample_rate &&
           same_timeline(a, b);
}

static void begin_set(struct mpd *mpd, const char *type, const char *mime)
{
    text_add(mpd->out, "    <AdaptationSet id=\"%d\" contentType=\"%s\" mimeType=\"%s\"", mpd->next_id++, type, mime);
}

static void add_language(mr_text *out, const mr_rendition *rendition)
{
    if (rendition->language[0])
        text_add(out, " lang=\"%s\"", rendition->language);
}

static void add_label(mr_text *out, const mr_rendition *rendition)
{
    if (!rendition->name[0])
        return;
    text_add(out, "      <Label>");
    text_add_xml(out, rendition->name);
    text_add(out, "</Label>\n");
}

static void add_role(mr_text *out, const char *role)
{
    text_add(out, "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"%s\"/>\n", role);
}

static void begin_representation(const struct mpd *mpd, const mr_rendition *rendition)
{
    text_add(mpd->out, "      <Representation id=\"");
    text_add_url(mpd->out, rendition->path);
    text_add(mpd->out, "\" codecs=\"%s\"", rendition->codec);
    add_bandwidth(mpd->out, peak_of(mpd, rendition));
}

static void end_representation(const struct mpd *mpd, const mr_rendition *rendition, bool own_template)
{
    if (!own_template) {
        text_add(mpd->out, "/>\n");
        return;
    }
    text_add(mpd->out, ">\n");
    add_template(mpd->out, rendition, "        ");
    text_add(mpd->out, "      </Representation>\n");
}

/* A PQ picture must not be played as if it were SDR; an HLG picture may. Code points of ISO/IEC 23091-2. */
static void add_range(mr_text *out, const mr_rendition *rendition)
{
    bool pq = strcmp(rendition->video_range, "PQ") == 0;
    if (!pq && strcmp(rendition->video_range, "HLG") != 0)
        return;
    const char *property = pq ? "Essential" : "Supplemental";
    text_add(out, "      <%sProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:ColourPrimaries\" value=\"9\"/>\n", property);
    text_add(out, "      <%sProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:TransferCharacteristics\" value=\"%d\"/>\n", property, pq ? 16 : 18);
    text_add(out, "      <%sProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:MatrixCoefficients\" value=\"9\"/>\n", property);
}

static void add_rate(mr_text *out, const char *name, mr_ratio fps)
{
    if (fps.den == 1)
        text_add(out, " %s=\"%d\"", name, fps.num);
    else if (fps.den > 1)
        text_add(out, " %s=\"%d/%d\"", name, fps.num, fps.den);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a > 0 ? a : 1;
}

/* The set begins with the first of its renditions; those before it belong to earlier sets. */
static void add_video_set(struct mpd *mpd, size_t first)
{
    const mr_model *model = mpd->model;
    const mr_rendition *lead = model->renditions[first];
    const mr_rendition *largest = lead;
    mr_ratio fastest = lead->fps;
    bool shared = true;
    for (size_t i = first; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        if (!same_set(lead, rendition))
            continue;
        shared &= same_timeline(lead, rendition);
        if (rendition->width * rendition->height > largest->width * largest->height)
            largest = rendition;
        if ((int64_t)rendition->fps.num * fastest.den > (int64_t)fastest.num * rendition->fps.den)
            fastest = rendition->fps;
    }
    int64_t divisor = common_divisor(largest->width, largest->height);
    begin_set(mpd, "video", "video/mp4");
    text_add(mpd->out, " segmentAlignment=\"true\" startWithSAP=\"1\" maxWidth=\"%" PRId64 "\" maxHeight=\"%" PRId64 "\"", largest->width,
             largest->height);
    add_rate(mpd->out, "maxFrameRate", fastest);
    text_add(mpd->out, " par=\"%" PRId64 ":%" PRId64 "\">\n", largest->width / divisor, largest->height / divisor);
    add_range(mpd->out, lead);
    add_role(mpd->out, "main");
    if (shared)
        add_template(mpd->out, lead, "      ");
    for (size_t i = first; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        if (!same_set(lead, rendition))
            continue;
        begin_representation(mpd, rendition);
        text_add(mpd->out, " width=\"%" PRId64 "\" height=\"%" PRId64 "\" sar=\"1:1\"", rendition->width, rendition->height);
        add_rate(mpd->out, "frameRate", rendition->fps);
        end_representation(mpd, rendition, !shared);
    }
    text_add(mpd->out, "    </AdaptationSet>\n");
}

/* Up to 5.1 the number of channels is the value in both schemes, and the older one is known to more players; above, CICP's ChannelConfiguration. */
static void add_channels(mr_text *out, int64_t channels)
{
    if (channels >= 1 && channels <= 6)
        text_add(out,
                 "      <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"%" PRId64 "\"/>\n",
                 channels);
    else if (channels == 7 || channels == 8)
        text_add(out, "      <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:mpegB:cicp:ChannelConfiguration\" value=\"%d\"/>\n",
                 channels == 7 ? 11 : 12);
}

/* Where no track is called the default, the first is. */
static bool is_main(const mr_model *model, const mr_rendition *rendition)
{
    const mr_rendition *chosen = NULL;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *other = model->renditions[i];
        if (other->kind == KIND_AUDIO && (!chosen || (other->is_default && !chosen->is_default)))
            chosen = other;
    }
    return chosen == rendition || (chosen && chosen->stream >= 0 && chosen->stream == rendition->stream);
}

static void add_audio_set(struct mpd *mpd, size_t first)
{
    const mr_rendition *lead = mpd->model->renditions[first];
    begin_set(mpd, "audio", "audio/mp4");
    add_language(mpd->out, lead);
    if (lead->sample_rate > 0)
        text_add(mpd->out, " audioSamplingRate=\"%" PRId64 "\"", lead->sample_rate);
    text_add(mpd->out, " segmentAlignment=\"true\" startWithSAP=\"1\">\n");
    add_channels(mpd->out, lead->channels);
    add_label(mpd->out, lead);
    add_role(mpd->out, is_main(mpd->model, lead) ? "main" : "alternate");
    add_template(mpd->out, lead, "      ");
    for (size_t i = first; i < mpd->model->count; i++) {
        if (!same_set(lead, mpd->model->renditions[i]))
            continue;
        begin_representation(mpd, mpd->model->renditions[i]);
        end_representation(mpd, mpd->model->renditions[i], false);
    }
    text_add(mpd->out, "    </AdaptationSet>\n");
}

/* Subtitles are one WebVTT file beside the segments: DASH-IF IOP, side-loaded text. */
static void add_text_set(struct mpd *mpd, const mr_rendition *rendition)
{
    int64_t duration = presentation_us(mpd->model);
    int64_t bandwidth = duration > 0 ? (int64_t)(rendition->whole_size * 8) * 1000 / (duration / 1000 + 1) + 1 : 1;
    begin_set(mpd, "text", "text/vtt");
    add_language(mpd->out, rendition);
    text_add(mpd->out, ">\n");
    add_label(mpd->out, rendition);
    add_role(mpd->out, rendition->forced ? "forced-subtitle" : "subtitle");
    if (rendition->is_default)
        add_role(mpd->out, "main");
    text_add(mpd->out, "      <Representation id=\"");
    text_add_url(mpd->out, rendition->path);
    text_add(mpd->out, "\"");
    add_bandwidth(mpd->out, bandwidth);
    text_add(mpd->out, ">\n        <BaseURL>");
    text_add_url(mpd->out, rendition->path);
    text_add(mpd->out, "/subtitles.%s</BaseURL>\n      </Representation>\n    </AdaptationSet>\n", rendition->whole_ext);
}

/* DASH-IF IOP, 6.2.6: tiled thumbnails. */
static void add_thumbnails(struct mpd *mpd)
{
    const mr_storyboard *board = &mpd->model->storyboard;
    int64_t sheet_us = board->interval_us * board->columns * board->rows;
    int64_t timescale = sheet_us % 1000 == 0 ? 1000 : 1000000;
    if (board->count == 0 || board->broken || sheet_us / (1000000 / timescale) > UINT32_MAX)
        return; /* or a sheet lasts longer than the schema can say */
    for (size_t i = 0; i < board->count; i++) {
        if (!board->present[i])
            return;
    }
    int64_t length_us = presentation_us(mpd->model);
    length_us = length_us > 0 && length_us < sheet_us * (int64_t)board->count ? length_us : sheet_us * (int64_t)board->count;
    begin_set(mpd, "image", board->content_type);
    text_add(mpd->out, ">\n      <SegmentTemplate timescale=\"%" PRId64 "\" duration=\"%" PRId64 "\" startNumber=\"0\" media=\"", timescale,
             sheet_us / (1000000 / timescale));
    text_add_url(mpd->out, board->prefix);
    text_add(mpd->out, "$Number%%05d$");
    text_add_url(mpd->out, board->suffix);
    text_add(mpd->out, "\"/>\n      <Representation id=\"thumbnails\"");
    add_bandwidth(mpd->out, (int64_t)(board->bytes * 8) * 1000 / (length_us / 1000 + 1) + 1);
    text_add(mpd->out, " width=\"%" PRId64 "\" height=\"%" PRId64 "\">\n", board->width, board->height);
    text_add(mpd->out,
             "        <EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\" value=\"%" PRId64 "x%" PRId64 "\"/>\n"
             "      </Representation>\n    </AdaptationSet>\n",
             board->columns, board->rows);
}

/* So long that every segment can be played at the stated bandwidth: the longest of them. */
static int64_t buffer_us(const mr_model *model)
{
    int64_t longest = 1000000;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        for (size_t k = 0; k < rendition->count && rendition->kind != KIND_TEXT; k++) {
            int64_t length = piece_end_us(rendition, k) - piece_start_us(rendition, k);
            longest = length > longest ? length : longest;
        }
    }
    return longest;
}

static bool begins_set(const mr_model *model, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (same_set(model->renditions[i], model->renditions[index]))
            return false;
    }
    return true;
}

void dash_mpd(mr_text *out, const mr_model *model)
{
    struct mpd mpd = {.out = out, .model = model, .next_id = 0};
    text_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
                  "profiles=\"urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019\" type=\"static\" mediaPresentationDuration=\"");
    add_duration(out, presentation_us(model));
    text_add(out, "\" minBufferTime=\"");
    add_duration(out, buffer_us(model));
    text_add(out, "\">\n  <Period id=\"0\" start=\"PT0S\">\n");
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        if (rendition->kind == KIND_VIDEO && begins_set(model, i))
            add_video_set(&mpd, i);
        else if (rendition->kind == KIND_AUDIO && begins_set(model, i))
            add_audio_set(&mpd, i);
        else if (rendition->kind == KIND_TEXT && rendition->whole_ext[0])
            add_text_set(&mpd, rendition);
    }
    add_thumbnails(&mpd);
    text_add(out, "  </Period>\n</MPD>\n");
}
