/* SPDX-License-Identifier: MIT */
/*
 * Frame filters in Lua (millrace/filter.h). They steer chains of libavfilter: they see a frame's number and time, never its pixels.
 *
 *     millrace.filter{
 *       name = "titles.clock",
 *       help = "writes the time into the corner",
 *       params = {size = {type = "int", default = 48, help = "of a letter, in pixels"}},
 *       settings = {"drawtext.text"},                            -- what is set for each frame, and nothing else
 *       chain = function(params, video)                          -- or a text
 *         return "drawtext=text=x:fontsize=" .. params.size
 *       end,
 *       steer = function(frame, params, video)                   -- a value for every setting
 *         return {["drawtext.text"] = string.format("%.1f s", frame.time)}
 *       end,
 *     }
 *
 * video is {width, height, frame_rate}, frame is {number, time}: seconds from the start, the same table each time. Each state of the filter is a
 * fresh Lua state, so a filter knows nothing of other chunks; what it keeps from frame to frame must not decide what it gives.
 */
#ifndef MR_SCRIPTING_FILTERS_H
#define MR_SCRIPTING_FILTERS_H

#include "scripting/ops.h"
#include <millrace/filter.h>

/* A process that ends with this code has said that a filter was in one call of Lua's library for too long (filters_watch.h), and would be again. */
#define MR_SCRIPT_STUCK 86

/* A filter of a script. Whoever makes it fills name, summary, help, version, params, params_size and settings of pub, and what follows pub. */
typedef struct mr_script_filter {
    mr_frame_filter pub; /* first: a filter of a script is this */
    const mr_ops_script *script;
    mr_span span;                                                                   /* of its millrace.filter */
    mr_script_limits limits;                                                        /* of a state, and of one call */
    void (*push_params)(lua_State *lua, const mr_param *table, const void *params); /* as a table; may raise */
} mr_script_filter;

/* Puts the functions into filter->pub that run it. */
void mr_script_filter_init(mr_script_filter *filter);

/* Lua: the table at index has the functions of the filter that it names; raises what is wrong with them. */
void mr_script_check_filter(lua_State *lua, int index);
/* Lua: what a script offers besides what it is run for. */
int mr_script_ignored(lua_State *lua);

#endif
