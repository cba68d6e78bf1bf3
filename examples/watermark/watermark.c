/* SPDX-License-Identifier: MIT */
/*
 * Two frame filters: watermark.text writes a line on every picture, watermark.timecode the time at which it is shown.
 *
 *     filters: [{use: watermark.text, with: {text: "SCREENER 17", opacity: 0.4}}, {use: watermark.timecode, with: {corner: top_left}}]
 *
 * A filter is a table and three functions: open() prepares for pictures of one size, apply() draws on one of them, close() frees. Both filters draw
 * in place, in the planes that they are given, in 8 and in 10 bits. watermark.text says MR_FILTER_STILL: what it draws does not depend on the time,
 * so a picture that stands for a while is drawn on once.
 */
#include <millrace/plugin.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, LINE_MAX = 80 };

/* Rows from the top; bit 4 is the left column. */
static const struct glyph {
    char letter;
    unsigned char rows[GLYPH_HEIGHT];
} glyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}}, {'C', {15, 16, 16, 16, 16, 16, 15}},
    {'D', {30, 17, 17, 17, 17, 17, 30}}, {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {15, 16, 16, 19, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}}, {'I', {31, 4, 4, 4, 4, 4, 31}},
    {'J', {7, 2, 2, 2, 2, 18, 12}},      {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 25, 21, 21, 19, 17, 17}}, {'O', {14, 17, 17, 17, 17, 17, 14}},
    {'P', {30, 17, 17, 30, 16, 16, 16}}, {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},       {'U', {17, 17, 17, 17, 17, 17, 14}},
    {'V', {17, 17, 17, 17, 17, 10, 4}},  {'W', {17, 17, 17, 21, 21, 27, 17}}, {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},     {'0', {14, 17, 19, 21, 25, 17, 14}},
    {'1', {4, 12, 4, 4, 4, 4, 14}},      {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},   {'6', {6, 8, 16, 30, 17, 17, 14}},
    {'7', {31, 1, 2, 4, 8, 8, 8}},       {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {':', {0, 4, 4, 0, 4, 4, 0}},        {'.', {0, 0, 0, 0, 0, 12, 12}},      {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'/', {1, 1, 2, 4, 8, 16, 16}},      {'@', {14, 17, 23, 21, 23, 16, 15}}, {'_', {0, 0, 0, 0, 0, 0, 31}},
};

/* ---- params ---- */

enum corner { TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT };
static const char *const corners[] = {"top_left", "top_right", "bottom_left", "bottom_right", NULL};

struct look {
    const char *text; /* watermark.timecode has none */
    int32_t corner;
    double height;
    double margin;
    double opacity;
};

/* clang-format off */
#define WHERE                                                                                                                              \
    MR_CHOICE(struct look, corner, .choices = corners, .standard = "bottom_right", .help = "where it stands"),                             \
    MR_NUMBER(struct look, height, .standard = "0.04", .min = "0.01", .max = "0.5", .help = "of a letter, as a part of the picture's height"), \
    MR_NUMBER(struct look, margin, .standard = "0.03", .min = "0", .max = "0.4", .help = "to the edges, as a part of the picture's height"), \
    MR_NUMBER(struct look, opacity, .standard = "0.6", .min = "0", .max = "1", .help = "0 is not to be seen, 1 covers what is below")
/* clang-format on */

static const mr_param text_table[] = {
    MR_TEXT(struct look, text, .flags = MR_PARAM_REQUIRED, .min = "1", .max = "80",
            .help = "what to write: letters, digits and : . - / @ _, everything else is left blank"),
    WHERE,
    MR_PARAM_END,
};
static const mr_param timecode_table[] = {WHERE, MR_PARAM_END};

/* ---- drawing ---- */

struct mark {
    const struct look *look;
    int letter; /* pixels of a glyph's pixel */
    int margin;
    int depth; /* bits of a sample */
};

static const unsigned char *rows_of(char letter)
{
    for (size_t i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++) {
        if (glyphs[i].letter == toupper((unsigned char)letter))
            return glyphs[i].rows;
    }
    return NULL;
}

/* Moves a rectangle of samples towards a value. What lies outside of the plane is left out. */
static void blend(const mr_plane *plane, int depth, int x, int y, int width, int height, int value, double opacity)
{
    const int weight = (int)(opacity * 256 + 0.5);
    for (int row = y < 0 ? 0 : y; row < y + height && row < plane->height; row++) {
        uint8_t *line = plane->data + row * plane->stride;
        for (int column = x < 0 ? 0 : x; column < x + width && column < plane->width; column++) {
            if (depth > 8) {
                uint16_t sample;
                memcpy(&sample, line + column * 2, 2);
                sample = (uint16_t)((sample * (256 - weight) + value * weight + 128) >> 8);
                memcpy(line + column * 2, &sample, 2);
            } else {
                line[column] = (uint8_t)((line[column] * (256 - weight) + value * weight + 128) >> 8);
            }
        }
    }
}

static void draw_letter(const struct mark *mark, const mr_picture *out, const unsigned char *rows, int x, int y)
{
    const int white = 235 << (mark->depth - 8);
    const int grey = 128 << (mark->depth - 8);
    const int size = mark->letter;
    for (int row = 0; row < GLYPH_HEIGHT; row++) {
        for (int column = 0; column < GLYPH_WIDTH; column++) {
            const int left = x + column * size;
            const int top = y + row * size;
            if (!(rows[row] >> (GLYPH_WIDTH - 1 - column) & 1))
                continue;
            blend(&out->plane[0], mark->depth, left, top, size, size, white, mark->look->opacity);
            for (int chroma = 1; chroma < 3; chroma++)
                blend(&out->plane[chroma], mark->depth, left / 2, top / 2, size / 2, size / 2, grey, mark->look->opacity);
        }
    }
}

static void draw(const struct mark *mark, const mr_picture *out, const char *text)
{
    const int advance = (GLYPH_WIDTH + 1) * mark->letter;
    const int width = (int)strlen(text) * advance - mark->letter;
    const bool right = mark->look->corner == TOP_RIGHT || mark->look->corner == BOTTOM_RIGHT;
    const bool bottom = mark->look->corner == BOTTOM_LEFT || mark->look->corner == BOTTOM_RIGHT;
    int x = right ? out->plane[0].width - mark->margin - width : mark->margin;
    const int y = bottom ? out->plane[0].height - mark->margin - GLYPH_HEIGHT * mark->letter : mark->margin;
    for (; *text; text++, x += advance) {
        const unsigned char *rows = rows_of(*text);
        if (rows)
            draw_letter(mark, out, rows, x, y);
    }
}

/* ---- the filters ---- */

/* An even number of pixels, so that colour samples, which stand for two, are covered whole. */
static int even(double pixels)
{
    const int whole = (int)(pixels / 2 + 0.5) * 2;
    return whole;
}

static mr_status open_mark(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                           mr_video_format *out, void **ret_state)
{
    struct mark *mark = calloc(1, sizeof(*mark));
    (void)host, (void)task, (void)filter, (void)out; /* nothing to report; the size stays */
    if (!mark)
        return MR_ERR_NOMEM;
    mark->look = params;
    mark->letter = even(mark->look->height * in->height / GLYPH_HEIGHT);
    mark->letter = mark->letter > 2 ? mark->letter : 2;
    mark->margin = even(mark->look->margin * in->height);
    mark->depth = in->pixels == MR_PIXELS_YUV420P10 ? 10 : 8;
    *ret_state = mark;
    return MR_OK;
}

/* In place: what is not drawn on is there already. */
static mr_status apply(void *state, const mr_frame_window *window, const mr_picture *out)
{
    const struct mark *mark = state;
    char text[LINE_MAX + 1];
    const long long ms = (long long)(out->time_us / 1000);
    (void)window;
    if (mark->look->text)
        snprintf(text, sizeof(text), "%s", mark->look->text);
    else
        snprintf(text, sizeof(text), "%02lld:%02lld:%02lld.%03lld", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    draw(mark, out, text);
    return MR_OK;
}

static const mr_frame_filter text_filter = {
    .size = sizeof(mr_frame_filter),
    .version = 1,
    .name = "watermark.text",
    .summary = "writes a line on every picture",
    .flags = MR_FILTER_IN_PLACE | MR_FILTER_STILL,
    .params = text_table,
    .params_size = sizeof(struct look),
    .open = open_mark,
    .close = free,
    .apply = apply,
};

static const mr_frame_filter timecode_filter = {
    .size = sizeof(mr_frame_filter),
    .version = 1,
    .name = "watermark.timecode",
    .summary = "writes on every picture when it is shown",
    .flags = MR_FILTER_IN_PLACE,
    .params = timecode_table,
    .params_size = sizeof(struct look),
    .open = open_mark,
    .close = free,
    .apply = apply,
};

static const mr_frame_filter *const filters[] = {&text_filter, &timecode_filter, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "watermark",
    .version = "1.0.0",
    .summary = "text and timecode on pictures",
    .licence = "MIT",
    .filters = filters,
};
