/* SPDX-License-Identifier: MIT */
/*
 * A script with the modules that it requires: all that is needed to run it elsewhere, and to tell it from its next version. Reading one runs
 * nothing.
 *
 * A module "lib.cues" is the file lib/cues.lua below the folder of the script. Modules are found by reading the texts: require takes a name that is
 * written out, as in require "lib.cues". A file that is not there is not in the bundle; the script learns so when it asks for it.
 */
#ifndef MR_SCRIPTING_BUNDLE_H
#define MR_SCRIPTING_BUNDLE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/json.h"
#include <millrace/status.h>

#define MR_BUNDLE_FILES 64u        /* the script and its modules */
#define MR_BUNDLE_BYTES (2u << 20) /* of all their texts */
#define MR_MODULE_NAME  128u       /* bytes of a module's name */

typedef struct mr_bundle_file {
    const char *name;  /* as require names it: "lib.cues"; of the script itself: "" */
    const char *chunk; /* what Lua calls it in messages: the path from the script's folder on, "captions.lua", "lib/cues.lua" */
    const char *path;  /* where it was read from, for people */
    const char *text;
    size_t len;
    const void *compiled; /* by mr_bundle_compile(); NULL: it is not */
    size_t compiled_len;
} mr_bundle_file;

typedef struct mr_bundle {
    const char *path;            /* of the script */
    const mr_bundle_file *files; /* the script first, then its modules in the order in which they are named */
    size_t count;
    char digest[MR_DIGEST_TEXT]; /* of names and texts, wherever the files lie */
} mr_bundle;

/* Reads the script and its modules. What is wrong is told with asked, the place that names it (line 0: none), as a note. Lives in arena. */
mr_status mr_bundle_read(mr_arena *arena, const char *path, mr_span asked, mr_diags *diags, const mr_bundle **ret_bundle);
/* The same of a text that is at hand; its modules are looked for beside path. */
mr_status mr_bundle_of_text(mr_arena *arena, const char *path, const char *text, size_t len, mr_diags *diags, const mr_bundle **ret_bundle);
/* NULL: there is none of that name. */
const mr_bundle_file *mr_bundle_find(const mr_bundle *bundle, const char *module);
bool mr_module_is_name(const char *name); /* words with dots between: nothing that leads out of the folder */

/* For another process, or to be kept: {path, files: [{name, chunk, path, text}]}. New reference; NULL: a text is not UTF-8, or memory is short. */
json_t *mr_bundle_json(const mr_bundle *bundle);
mr_status mr_bundle_from_json(mr_arena *arena, const json_t *json, const mr_bundle **ret_bundle);

/*
 * Where many states will be made of it, in the process that makes them: has Lua read its texts once. A text that Lua can't read stays as it is;
 * running it says why. What was compiled never leaves the process.
 */
mr_status mr_bundle_compile(mr_arena *arena, const mr_bundle *bundle);

/* So that lines of it can be quoted. */
void mr_bundle_add_texts(const mr_bundle *bundle, mr_diags *diags);

#endif
