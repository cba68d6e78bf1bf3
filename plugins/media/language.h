/* SPDX-License-Identifier: MIT */
/* Languages: BCP 47 is what Millrace speaks; MP4's mdhd has room for three letters of ISO 639-2/T only. */
#ifndef MR_MEDIA_LANGUAGE_H
#define MR_MEDIA_LANGUAGE_H

/* "pt-BR" -> "por"; three letters stay; what is unknown becomes "und". */
void mr_language_code(const char *language, char ret_code[4]);
/* The other way, for what containers say: "ger" or "deu" -> "de"; tags that are BCP 47 already come back as they are. Borrowed. */
const char *mr_language_tag(const char *language);

#endif
