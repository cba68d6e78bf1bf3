/* SPDX-License-Identifier: MIT */
/* What state.c and state_library.c share. */
#ifndef MR_SCRIPTING_STATE_INTERNAL_H
#define MR_SCRIPTING_STATE_INTERNAL_H

#include "scripting/state.h"

typedef struct mr_script_frame {
    mr_span span;
    char name[64]; /* of the function that runs there; "": not known */
} mr_script_frame;

struct mr_script {
    mr_script_options options;
    lua_State *lua;
    size_t used;
    bool refused;     /* memory, since the call began */
    int64_t began_us; /* the call, in processor time of its thread */
    mr_status ends;   /* not MR_OK: whatever it does, the call ends with this */
    mr_script_frame frames[MR_SCRIPT_FRAMES];
    size_t frame_count;
};

/* Under lua_pcall: all that a script finds in its globals. */
int mr_script_open_library(lua_State *lua);
/* Pushes the file, compiled; may raise. */
void mr_script_load(lua_State *lua, const mr_bundle_file *file);

#endif
