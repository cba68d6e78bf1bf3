/* SPDX-License-Identifier: MIT */
/*
 * Questions to a script host, one after the other. Answers are limited by the frame's size and by time; diagnostics are taken over as texts and as
 * places within the script's own files, nothing else.
 */
#include "runtime/hosts/script_host.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/hosts/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_MAX  (8u << 20)  /* bytes of an answer */
#define ADDRESSES   (1ll << 30) /* bytes of address space: what Lua may hold is limited besides */
#define OPEN_FILES  32
#define DIAGS_DEPTH 64     /* notes of one diagnostic */
#define GRACE_US    500000 /* beyond a timeout: Lua itself ends what takes too long, with its line; the host is killed for what that does not reach */

struct mr_script_host {
    mr_settings settings;
    mr_task_host *host;
    const mr_bundle *bundle; /* evaluated last; borrowed for the places of its errors */
    bool lost;
};

static const mr_span nowhere;

mr_status mr_script_host_start(const mr_settings *settings, mr_diags *diags, mr_script_host **ret_host)
{
    int error = 0;
    mr_script_host *it = calloc(1, sizeof(*it));
    char *program = it ? mr_host_program(diags) : NULL;
    *ret_host = NULL;
    if (!program) {
        free(it);
        return it ? MR_ERR_NOT_FOUND : MR_ERR_NOMEM;
    }
    it->settings = *settings;
    it->settings.host_open_files = OPEN_FILES;
    it->settings.host_memory = settings->host_memory < ADDRESSES ? settings->host_memory : ADDRESSES;
    it->host = mr_host_begin(program, true, &error);
    if (it->host && error == 0)
        error = mr_host_hello(it->host, &it->settings);
    free(program);
    if (error != 0) {
        mr_error(diags, "script-host", nowhere, "can't start the process that scripts run in: %s", strerrordesc_np(error));
        mr_hint(diags, "raise the limits of processes and open files (ulimit -u, ulimit -n)");
    }
    if (error != 0 || !mr_host_hear_ready(it->host, &it->settings, diags)) {
        mr_script_host_end(it);
        return MR_ERR_UNAVAILABLE;
    }
    *ret_host = it;
    return MR_OK;
}

void mr_script_host_end(mr_script_host *host)
{
    if (!host)
        return;
    mr_host_free(host->host);
    free(host);
}

bool mr_script_host_is_whole(const mr_script_host *host)
{
    return host && !host->lost;
}

/* ---- what comes back ---- */

/* A place that the host names, if it is in one of the script's files. */
static mr_span span_of(const mr_script_host *it, const json_t *diag)
{
    const char *file = json_string_value(json_object_get(diag, "file"));
    const json_int_t line = json_integer_value(json_object_get(diag, "line"));
    const json_int_t col = json_integer_value(json_object_get(diag, "col"));
    const json_int_t len = json_integer_value(json_object_get(diag, "len"));
    for (size_t i = 0; file && it->bundle && i < it->bundle->count; i++) {
        const mr_bundle_file *own = &it->bundle->files[i];
        const json_int_t most = (json_int_t)own->len + 2;
        if (strcmp(own->path, file) == 0 && line > 0 && line < most && col > 0 && col < most && len > 0 && len < most)
            return (mr_span){.file = own->path, .line = (uint32_t)line, .col = (uint32_t)col, .len = (uint32_t)len};
    }
    return nowhere;
}

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void take_diags(const mr_script_host *it, const char *text, mr_diags *diags)
{
    size_t i;
    size_t k;
    const json_t *one;
    const json_t *note;
    mr_autojson json_t *list = mr_json_read(text, strlen(text), RESULT_MAX, NULL);
    json_array_foreach(list, i, one)
    {
        const char *code = strcmp(text_in(one, "code"), "script-limit") == 0 ? "script-limit" : "script";
        if (strcmp(text_in(one, "severity"), "warning") == 0)
            mr_warning(diags, code, span_of(it, one), "%s", text_in(one, "message"));
        else
            mr_error(diags, code, span_of(it, one), "%s", text_in(one, "message"));
        if (text_in(one, "hint")[0])
            mr_hint(diags, "%s", text_in(one, "hint"));
        json_array_foreach(json_object_get(one, "notes"), k, note)
        {
            if (k < DIAGS_DEPTH)
                mr_note(diags, span_of(it, note), "%s", text_in(note, "message"));
        }
    }
}

/* The host is of no use any more. */
static mr_status lose(mr_script_host *it, mr_status status, int64_t timeout_us, mr_diags *diags)
{
    char how[256];
    char words[512];
    char limit[32];
    const char *path = it->bundle ? it->bundle->path : "?";
    const mr_span span = {.file = path, .line = 1, .col = 1, .len = 1};
    it->lost = true;
    if (status == MR_NOT_YET) {
        mr_duration_text(timeout_us, limit, sizeof(limit));
        mr_error(diags, "script-limit", it->bundle ? span : nowhere, "script '%s' was ended: it took longer than %s", path, limit);
        mr_host_free(it->host);
        it->host = NULL;
        return MR_ERR_LIMIT;
    }
    mr_host_autopsy(it->host, &it->settings, how, sizeof(how));
    mr_host_last_words(it->host, words, sizeof(words));
    mr_error(diags, "script-host", nowhere, "the process of script '%s' %s", path, how);
    if (words[0])
        mr_hint(diags, "its last words: %s", words);
    mr_host_free(it->host);
    it->host = NULL;
    return MR_ERR_UNAVAILABLE;
}

/* Sends what is packed, and waits. */
static mr_status ask(mr_script_host *it, int64_t timeout_us, mr_diags *diags, json_t **ret_result)
{
    mr_frame frame = {0};
    const int64_t until_us = mr_now_us() + timeout_us + GRACE_US;
    const int timeout_ms = (int)((timeout_us + GRACE_US) / 1000);
    mr_status status = mr_wire_send(&it->host->wire, &it->host->packer, -1, timeout_ms);
    if (status == MR_ERR_NOMEM)
        return status;
    while (status == MR_OK) {
        const int64_t left_us = until_us - mr_now_us();
        status = mr_wire_receive(&it->host->wire, left_us > 0 ? (int)((left_us + 999) / 1000) : 0, &frame);
        if (status != MR_NOT_YET || left_us <= 0)
            break;
        mr_host_listen(it->host);
        status = MR_OK;
    }
    if (status != MR_OK || frame.type != MR_FRAME_ANSWER)
        return lose(it, status == MR_ERR_LIMIT ? MR_NOT_YET : status, timeout_us, diags);
    const int64_t said = mr_frame_i64(&frame);
    const char *result = mr_frame_text(&frame);
    const char *told = mr_frame_text(&frame);
    if (!mr_frame_done(&frame) || said > 0 || said < MR_ERR_INTERNAL)
        return lose(it, MR_ERR_IO, timeout_us, diags);
    const size_t before = mr_diags_errors(diags);
    take_diags(it, told, diags);
    if (said != MR_OK && mr_diags_errors(diags) == before)
        mr_error(diags, "script", nowhere, "script '%s' failed, and did not say why", it->bundle->path);
    if (said != MR_OK)
        return (mr_status)said;
    *ret_result = result[0] ? mr_json_read(result, strlen(result), RESULT_MAX, NULL) : json_null();
    return *ret_result ? MR_OK : lose(it, MR_ERR_IO, timeout_us, diags);
}

static mr_status gone(const mr_script_host *it, mr_diags *diags)
{
    mr_error(diags, "script-host", nowhere, "the process of script '%s' is gone", it->bundle ? it->bundle->path : "?");
    return MR_ERR_UNAVAILABLE;
}

mr_status mr_script_host_evaluate(mr_script_host *host, mr_script_kind kind, const mr_bundle *bundle, const mr_script_limits *limits,
                                  int64_t timeout_us, mr_diags *diags, json_t **ret_result)
{
    *ret_result = NULL;
    host->bundle = bundle;
    if (host->lost)
        return gone(host, diags);
    mr_autojson json_t *json = mr_bundle_json(bundle);
    mr_autofree char *text = json ? mr_json_text(json) : NULL;
    if (!text)
        return MR_ERR_NOMEM;
    mr_packer *packer = &host->host->packer;
    mr_pack_begin(packer, MR_FRAME_EVALUATE);
    mr_pack_u32(packer, kind);
    mr_pack_u64(packer, limits->memory);
    mr_pack_i64(packer, limits->time_us);
    mr_pack_text(packer, text);
    return ask(host, timeout_us, diags, ret_result);
}

mr_status mr_script_host_call(mr_script_host *host, const char *function, const json_t *argument, int64_t timeout_us, mr_diags *diags,
                              json_t **ret_result)
{
    *ret_result = NULL;
    if (host->lost)
        return gone(host, diags);
    mr_autofree char *text = mr_json_text(argument);
    if (!text)
        return MR_ERR_NOMEM;
    mr_packer *packer = &host->host->packer;
    mr_pack_begin(packer, MR_FRAME_CALL);
    mr_pack_text(packer, function);
    mr_pack_text(packer, text);
    return ask(host, timeout_us, diags, ret_result);
}
