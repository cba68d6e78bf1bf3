/* SPDX-License-Identifier: MIT */
/* See language.h. The table is that of ISO 639-1 with the codes of ISO 639-2: terminological, and bibliographic where it differs. */
#include "media/language.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef struct language {
    char two[3];
    char three[4];
    char bibliographic[4];
} language;

/* clang-format off */
static const language languages[] = {
    {"aa", "aar", ""}, {"ab", "abk", ""}, {"ae", "ave", ""}, {"af", "afr", ""}, {"ak", "aka", ""}, {"am", "amh", ""}, {"an", "arg", ""},
    {"ar", "ara", ""}, {"as", "asm", ""}, {"av", "ava", ""}, {"ay", "aym", ""}, {"az", "aze", ""}, {"ba", "bak", ""}, {"be", "bel", ""},
    {"bg", "bul", ""}, {"bh", "bih", ""}, {"bi", "bis", ""}, {"bm", "bam", ""}, {"bn", "ben", ""}, {"bo", "bod", "tib"}, {"br", "bre", ""},
    {"bs", "bos", ""}, {"ca", "cat", ""}, {"ce", "che", ""}, {"ch", "cha", ""}, {"co", "cos", ""}, {"cr", "cre", ""}, {"cs", "ces", "cze"},
    {"cu", "chu", ""}, {"cv", "chv", ""}, {"cy", "cym", "wel"}, {"da", "dan", ""}, {"de", "deu", "ger"}, {"dv", "div", ""}, {"dz", "dzo", ""},
    {"ee", "ewe", ""}, {"el", "ell", "gre"}, {"en", "eng", ""}, {"eo", "epo", ""}, {"es", "spa", ""}, {"et", "est", ""}, {"eu", "eus", "baq"},
    {"fa", "fas", "per"}, {"ff", "ful", ""}, {"fi", "fin", ""}, {"fj", "fij", ""}, {"fo", "fao", ""}, {"fr", "fra", "fre"}, {"fy", "fry", ""},
    {"ga", "gle", ""}, {"gd", "gla", ""}, {"gl", "glg", ""}, {"gn", "grn", ""}, {"gu", "guj", ""}, {"gv", "glv", ""}, {"ha", "hau", ""},
    {"he", "heb", ""}, {"hi", "hin", ""}, {"ho", "hmo", ""}, {"hr", "hrv", ""}, {"ht", "hat", ""}, {"hu", "hun", ""}, {"hy", "hye", "arm"},
    {"hz", "her", ""}, {"ia", "ina", ""}, {"id", "ind", ""}, {"ie", "ile", ""}, {"ig", "ibo", ""}, {"ii", "iii", ""}, {"ik", "ipk", ""},
    {"io", "ido", ""}, {"is", "isl", "ice"}, {"it", "ita", ""}, {"iu", "iku", ""}, {"ja", "jpn", ""}, {"jv", "jav", ""}, {"ka", "kat", "geo"},
    {"kg", "kon", ""}, {"ki", "kik", ""}, {"kj", "kua", ""}, {"kk", "kaz", ""}, {"kl", "kal", ""}, {"km", "khm", ""}, {"kn", "kan", ""},
    {"ko", "kor", ""}, {"kr", "kau", ""}, {"ks", "kas", ""}, {"ku", "kur", ""}, {"kv", "kom", ""}, {"kw", "cor", ""}, {"ky", "kir", ""},
    {"la", "lat", ""}, {"lb", "ltz", ""}, {"lg", "lug", ""}, {"li", "lim", ""}, {"ln", "lin", ""}, {"lo", "lao", ""}, {"lt", "lit", ""},
    {"lu", "lub", ""}, {"lv", "lav", ""}, {"mg", "mlg", ""}, {"mh", "mah", ""}, {"mi", "mri", "mao"}, {"mk", "mkd", "mac"}, {"ml", "mal", ""},
    {"mn", "mon", ""}, {"mr", "mar", ""}, {"ms", "msa", "may"}, {"mt", "mlt", ""}, {"my", "mya", "bur"}, {"na", "nau", ""}, {"nb", "nob", ""},
    {"nd", "nde", ""}, {"ne", "nep", ""}, {"ng", "ndo", ""}, {"nl", "nld", "dut"}, {"nn", "nno", ""}, {"no", "nor", ""}, {"nr", "nbl", ""},
    {"nv", "nav", ""}, {"ny", "nya", ""}, {"oc", "oci", ""}, {"oj", "oji", ""}, {"om", "orm", ""}, {"or", "ori", ""}, {"os", "oss", ""},
    {"pa", "pan", ""}, {"pi", "pli", ""}, {"pl", "pol", ""}, {"ps", "pus", ""}, {"pt", "por", ""}, {"qu", "que", ""}, {"rm", "roh", ""},
    {"rn", "run", ""}, {"ro", "ron", "rum"}, {"ru", "rus", ""}, {"rw", "kin", ""}, {"sa", "san", ""}, {"sc", "srd", ""}, {"sd", "snd", ""},
    {"se", "sme", ""}, {"sg", "sag", ""}, {"si", "sin", ""}, {"sk", "slk", "slo"}, {"sl", "slv", ""}, {"sm", "smo", ""}, {"sn", "sna", ""},
    {"so", "som", ""}, {"sq", "sqi", "alb"}, {"sr", "srp", ""}, {"ss", "ssw", ""}, {"st", "sot", ""}, {"su", "sun", ""}, {"sv", "swe", ""},
    {"sw", "swa", ""}, {"ta", "tam", ""}, {"te", "tel", ""}, {"tg", "tgk", ""}, {"th", "tha", ""}, {"ti", "tir", ""}, {"tk", "tuk", ""},
    {"tl", "tgl", ""}, {"tn", "tsn", ""}, {"to", "ton", ""}, {"tr", "tur", ""}, {"ts", "tso", ""}, {"tt", "tat", ""}, {"tw", "twi", ""},
    {"ty", "tah", ""}, {"ug", "uig", ""}, {"uk", "ukr", ""}, {"ur", "urd", ""}, {"uz", "uzb", ""}, {"ve", "ven", ""}, {"vi", "vie", ""},
    {"vo", "vol", ""}, {"wa", "wln", ""}, {"wo", "wol", ""}, {"xh", "xho", ""}, {"yi", "yid", ""}, {"yo", "yor", ""}, {"za", "zha", ""},
    {"zh", "zho", "chi"}, {"zu", "zul", ""},
};
/* clang-format on */
enum { LANGUAGES = sizeof(languages) / sizeof(languages[0]) };

static size_t primary_length(const char *tag)
{
    return strcspn(tag, "-_");
}

void mr_language_code(const char *tag, char ret_code[4])
{
    size_t len = primary_length(tag);
    memcpy(ret_code, "und", 4);
    for (size_t i = 0; len == 2 && i < LANGUAGES; i++) {
        if (strncasecmp(tag, languages[i].two, 2) == 0)
            memcpy(ret_code, languages[i].three, 4);
    }
    char lower[4] = "";
    for (size_t i = 0; len == 3 && i < 3; i++)
        lower[i] = (char)(tag[i] | 0x20);
    if (len == 3 && strspn(lower, "abcdefghijklmnopqrstuvwxyz") == 3)
        memcpy(ret_code, lower, 4);
}

const char *mr_language_tag(const char *tag)
{
    for (size_t i = 0; strlen(tag) == 3 && i < LANGUAGES; i++) {
        if (strcasecmp(tag, languages[i].three) == 0 || strcasecmp(tag, languages[i].bibliographic) == 0)
            return languages[i].two;
    }
    return tag;
}
