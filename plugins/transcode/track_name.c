/* SPDX-License-Identifier: MIT */
/* See track_name.h. Titles come from the source: control characters and broken UTF-8 don't pass. */
#include "track_name.h"
#include "utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct language_name {
    const char *tag;
    const char *name;
} language_name;

/* clang-format off */
static const language_name names[] = {
    {"af", "Afrikaans"}, {"am", "አማርኛ"}, {"ar", "العربية"}, {"az", "Azərbaycan"}, {"be", "Беларуская"}, {"bg", "Български"}, {"bn", "বাংলা"},
    {"bs", "Bosanski"}, {"ca", "Català"}, {"cs", "Čeština"}, {"cy", "Cymraeg"}, {"da", "Dansk"}, {"de", "Deutsch"}, {"el", "Ελληνικά"},
    {"en", "English"}, {"eo", "Esperanto"}, {"es", "Español"}, {"et", "Eesti"}, {"eu", "Euskara"}, {"fa", "فارسی"}, {"fi", "Suomi"},
    {"fil", "Filipino"}, {"fo", "Føroyskt"}, {"fr", "Français"}, {"ga", "Gaeilge"}, {"gl", "Galego"}, {"gu", "ગુજરાતી"}, {"he", "עברית"},
    {"hi", "हिन्दी"}, {"hr", "Hrvatski"}, {"hu", "Magyar"}, {"hy", "Հայերեն"}, {"id", "Bahasa Indonesia"}, {"is", "Íslenska"}, {"it", "Italiano"},
    {"ja", "日本語"}, {"ka", "ქართული"}, {"kk", "Қазақ тілі"}, {"km", "ខ្មែរ"}, {"kn", "ಕನ್ನಡ"}, {"ko", "한국어"}, {"ku", "Kurdî"},
    {"ky", "Кыргызча"}, {"la", "Latina"}, {"lb", "Lëtzebuergesch"}, {"lo", "ລາວ"}, {"lt", "Lietuvių"}, {"lv", "Latviešu"}, {"mk", "Македонски"},
    {"ml", "മലയാളം"}, {"mn", "Монгол"}, {"mr", "मराठी"}, {"ms", "Bahasa Melayu"}, {"mt", "Malti"}, {"my", "မြန်မာ"}, {"nb", "Norsk bokmål"},
    {"ne", "नेपाली"}, {"nl", "Nederlands"}, {"nn", "Norsk nynorsk"}, {"no", "Norsk"}, {"pa", "ਪੰਜਾਬੀ"}, {"pl", "Polski"}, {"ps", "پښتو"},
    {"pt", "Português"}, {"rm", "Rumantsch"}, {"ro", "Română"}, {"ru", "Русский"}, {"si", "සිංහල"}, {"sk", "Slovenčina"}, {"sl", "Slovenščina"},
    {"so", "Soomaali"}, {"sq", "Shqip"}, {"sr", "Српски"}, {"sv", "Svenska"}, {"sw", "Kiswahili"}, {"ta", "தமிழ்"}, {"te", "తెలుగు"},
    {"th", "ไทย"}, {"tl", "Tagalog"}, {"tr", "Türkçe"}, {"uk", "Українська"}, {"ur", "اردو"}, {"uz", "Oʻzbekcha"}, {"vi", "Tiếng Việt"},
    {"yi", "ייִדיש"}, {"yue", "粵語"}, {"zh", "中文"}, {"zu", "isiZulu"},
};
/* clang-format on */

const char *mr_language_name(const char *tag, char *buf, size_t size)
{
    size_t primary = tag ? strcspn(tag, "-_") : 0;
    for (size_t i = 0; primary > 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncasecmp(names[i].tag, tag, primary) != 0 || names[i].tag[primary])
            continue;
        if (tag[primary])
            snprintf(buf, size, "%s (%s)", names[i].name, tag + primary + 1);
        else
            snprintf(buf, size, "%s", names[i].name);
        return buf;
    }
    return NULL;
}

static bool known_language(const char *language)
{
    return language && *language && strcasecmp(language, "und") != 0 && strcasecmp(language, "mis") != 0 && strcasecmp(language, "zxx") != 0;
}

void mr_track_name(const char *title, const char *language, const char *what, int ordinal, const char *extra, char ret_name[MR_TRACK_NAME])
{
    char base[96] = "";
    char number[16] = "";
    if (title)
        mr_utf8_line(title, strlen(title), base, sizeof(base));
    if (!base[0] && known_language(language) && !mr_language_name(language, base, sizeof(base)))
        mr_utf8_line(language, strlen(language), base, sizeof(base));
    if (!base[0])
        snprintf(base, sizeof(base), "%s", what);
    if (ordinal > 0)
        snprintf(number, sizeof(number), " %d", ordinal + 1);
    if (extra)
        snprintf(ret_name, MR_TRACK_NAME, "%s%s (%s)", base, number, extra);
    else
        snprintf(ret_name, MR_TRACK_NAME, "%s%s", base, number);
}

void mr_track_folder(const char *kind, const char *language, const char *suffix, int ordinal, int stream, char ret_folder[MR_TRACK_FOLDER])
{
    char tag[24] = "";
    char number[16] = "";
    size_t length = 0;
    bool exact = true;
    for (const char *c = language && *language ? language : "und"; *c; c++) {
        bool plain = isascii((unsigned char)*c) && (isalnum((unsigned char)*c) || *c == '-');
        exact = exact && plain && length + 1 < sizeof(tag);
        if (plain && length + 1 < sizeof(tag))
            tag[length++] = (char)tolower((unsigned char)*c);
    }
    if (ordinal > 0)
        snprintf(number, sizeof(number), "-%d", ordinal + 1);
    if (exact)
        snprintf(ret_folder, MR_TRACK_FOLDER, "%s/%s%s%s", kind, tag, suffix, number);
    else
        snprintf(ret_folder, MR_TRACK_FOLDER, "%s/%s%s%s-s%d", kind, length ? tag : "und", suffix, number, stream);
}
