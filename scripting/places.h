/* SPDX-License-Identifier: MIT */
/*
 * Where in a script's text a value that was given to a call is written, so that a mistake in it can be underlined: Lua itself knows the line of a
 * call, and no more. Nothing is run: the text of the call's arguments is read, as far as they are written there as table constructors. What was made
 * elsewhere (by a function, in a loop) is found at the innermost value around it that is written out.
 */
#ifndef MR_SCRIPTING_PLACES_H
#define MR_SCRIPTING_PLACES_H

#include "scripting/bundle.h"

typedef struct mr_area { /* of a file's text; end 0: not found */
    const mr_bundle_file *file;
    uint32_t begin;
    uint32_t end;
} mr_area;

#define MR_AREA_ARGS 4u

/*
 * The call of method ("node") that begins at or soon after line: the areas of its arguments; true when it was found. name: the first argument's
 * value, which tells calls on one line apart. ret_call is the area of the method's name, or of the whole line.
 */
bool mr_area_call(const mr_bundle_file *file, int line, const char *method, const char *name, mr_area *ret_call, mr_area ret_args[MR_AREA_ARGS]);
/* The value that table, the area of a table constructor, has under key, or as its indexth item (from 1) when key is NULL; and the key's own area. */
mr_area mr_area_entry(mr_area table, const char *key, size_t index, mr_area *ret_key);
mr_area mr_area_line(const mr_bundle_file *file, int line); /* without its indent */
/* For a diagnostic: what of the area stands on its first line, or its first token when it goes on. col and len in bytes. */
mr_span mr_area_span(mr_area area);

#endif
