/* SPDX-License-Identifier: MIT */
/*
 * The font of drawtext in chains that are steered. Task hosts have no files, and libavfilter opens a font by its path: so the font is looked for when
 * the plugin is loaded, and a copy put into the scratch folder of the task that writes with it.
 */
#ifndef MR_MEDIA_FONT_H
#define MR_MEDIA_FONT_H

#include <millrace/op.h>

/* To be called once, when a plugin is loaded: keeps the first font found, mapped. Without one, drawtext has to be told a font by its own means. */
void mr_font_load(void);
/* What it is, for identities: "font DejaVuSans.ttf 0123456789abcdef", or "no font". The same for the life of the process. */
const char *mr_font_identity(void);
/* chain with fontfile=… in each drawtext that names no font; as it is where there is none to name. */
mr_status mr_font_chain(const mr_host *host, mr_task *task, const char *chain, char *ret_chain, size_t size);

#endif
