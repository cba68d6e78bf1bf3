/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server with the routes of uploads and nothing else, on a free port: for clients that are not ours (tus-js-client, aws, curl). Rows are in
 * memory. It says its address, then a line for each upload that is complete: "complete ID VIDEO LENGTH DIGEST PATH". It ends when its input does.
 */
#include "api-server/base/id.h"
#include "api-server/metrics/metrics.h"
#include "api-server/routes/uploads.h"
#include "api-server/uploads/test/memory_store.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

const mr_route mr_route_table[] = {MR_UPLOAD_ROWS(MR_RULE_ANYONE), {0}};

/* Instead of the router's own: here everybody may do everything. */
bool mr_call_admit(mr_call *call);
bool mr_call_admit(mr_call *call)
{
    (void)call;
    return true;
}

static void video_drop(void *context, const char *video)
{
    (void)context;
    (void)video;
}

/* Every video is of whoever asks, but those whose id says that they are not there. */
static mr_status video_owner(void *context, const char *video, char ret_owner[MR_UPLOAD_ID])
{
    (void)context;
    ret_owner[0] = '\0';
    return strncmp(video, "v_", 2) == 0 && strcmp(video, "v_none") != 0 ? MR_OK : MR_ERR_NOT_FOUND;
}

static mr_status key_secret(void *context, const char *key_id, char ret_secret[64], mr_identity *ret_who)
{
    (void)context;
    *ret_who = (mr_identity){.role = MR_ROLE_CREATOR};
    snprintf(ret_secret, 64, "secret");
    return strcmp(key_id, "k_test") == 0 ? MR_OK : MR_ERR_NOT_FOUND;
}

static mr_status may_upload(void *context, const char *user)
{
    (void)context;
    (void)user;
    return MR_OK;
}

static void own_secret(void *context, const char *purpose, char ret_secret[64])
{
    (void)context;
    snprintf(ret_secret, 64, "own %.40s", purpose);
}

/* Not the tree's root, but as good to tell contents apart: the hash of the leaves. */
static void identify(void *context, const char *path, int64_t length, const unsigned char *leaves, size_t count, char ret_digest[MR_UPLOAD_DIGEST])
{
    unsigned char sum[32];
    (void)context;
    (void)path;
    (void)length;
    EVP_Digest(leaves, count * 32, sum, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof(sum); i++)
        snprintf(ret_digest + 2 * i, 3, "%02x", sum[i]);
}

static void completed(void *context, const mr_upload *upload, const char *path)
{
    (void)context;
    printf("complete %s %s %" PRId64 " %s %s\n", upload->id, upload->video, upload->length, upload->digest, path);
    fflush(stdout);
}

/* serve_uploads DATA MAX QUOTA */
/* An operator without rules. */
static int no_hook(mr_platform *platform, const char *name)
{
    (void)platform;
    (void)name;
    return 0;
}

static void no_text(mr_platform *platform, char *take_text)
{
    (void)platform;
    (void)take_text;
}

int main(int argc, char **argv)
{
    static memory_store store;
    char why[512];
    char byte;
    const mr_platform_host host = {.size = sizeof(host), .has_hook = no_hook, .text_free = no_text};
    mr_server server = {.host = &host, .settings = &(mr_server_settings){.listen = "127.0.0.1:0"}};
    const mr_upload_people people = {
        .video_drop = video_drop, .video_owner = video_owner, .may_upload = may_upload, .key_secret = key_secret, .own_secret = own_secret};
    if (argc != 4)
        return 2;
    store.quota = strtoll(argv[3], NULL, 10);
    const mr_uploads_options options = {
        .data_dir = argv[1], .max = strtoll(argv[2], NULL, 10), .store = memory_store_table(&store), .identify = identify, .completed = completed};
    server.upload_people = &people;
    const mr_http_options http = {.listen = "127.0.0.1:0", .handler = mr_router_handler(&server)};
    if (mr_metrics_new(&server.metrics) != MR_OK || mr_uploads_open(&options, &server.uploads, why, sizeof(why)) != MR_OK ||
        mr_http_open(&http, why, sizeof(why), &server.http) != MR_OK) {
        fprintf(stderr, "serve_uploads: %s\n", why);
        return 1;
    }
    printf("http://127.0.0.1:%u\n", mr_http_port(server.http));
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    mr_http_close(server.http, 1000);
    mr_uploads_close(server.uploads);
    mr_metrics_free(server.metrics);
    memory_store_free(&store);
    return 0;
}
