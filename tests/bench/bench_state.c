/* SPDX-License-Identifier: MIT */
/*
 * How fast a state folder takes what workers report: tasks recorded per second (the store's group commit), and contents stored per
 * second, each with 1, 2, 4 … threads. Run it on the disk that counts:
 *   bench_state [DIR] [SECONDS per line]
 */
#include "base/clock.h"
#include "base/file.h"
#include "runtime/state/objects.h"
#include "runtime/state/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 32, CONTENT_SIZE = 200000 }; /* about a segment of 4 s at 400 kbit/s */

typedef struct bench {
    mr_store *store;
    mr_objects *objects;
    bool contents; /* else tasks */
    int64_t until_us;
    atomic_uint_fast64_t done;
    atomic_uint next_thread;
} bench;

static mr_status record_task(bench *it, unsigned thread, uint64_t number, json_t *outputs)
{
    char text[64];
    char identity[MR_DIGEST_TEXT];
    snprintf(text, sizeof(text), "%u,%" PRIu64 ",%" PRId64, thread, number, mr_now_us());
    mr_digest(text, strlen(text), identity);
    const mr_task_record record = {.run = "bench", .node = "video", .item = text, .identity = identity, .state = "succeeded", .attempt = 1};
    const mr_result result = {.identity = identity, .op = "bench.op", .outputs = outputs};
    return mr_store_task_done(it->store, &record, &result, NULL);
}

static mr_status store_content(bench *it, unsigned thread, uint64_t number, uint8_t *data)
{
    mr_object_writer *writer = NULL;
    char digest[MR_DIGEST_TEXT];
    uint64_t size = 0;
    const int64_t mark[3] = {thread, (int64_t)number, mr_now_us()};
    memcpy(data, mark, sizeof(mark));
    mr_status status = mr_objects_writer(it->objects, NULL, &writer);
    if (status != MR_OK)
        return status;
    status = mr_object_write_at(writer, 0, data, CONTENT_SIZE, NULL);
    mr_status committed = mr_object_commit(writer, NULL, digest, &size);
    return status == MR_OK ? committed : status;
}

static void *work(void *context)
{
    bench *it = context;
    unsigned thread = atomic_fetch_add(&it->next_thread, 1);
    uint8_t *data = calloc(1, CONTENT_SIZE);
    mr_autojson json_t *outputs = json_pack("[{s:s, s:s, s:i, s:{s:s, s:i, s:i}}]", "port", "segments", "digest",
                                            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size", 200000, "meta", "role",
                                            "media", "index", 1, "start", 0);
    for (uint64_t i = 0; data && outputs && mr_now_us() < it->until_us; i++) {
        mr_status status = it->contents ? store_content(it, thread, i, data) : record_task(it, thread, i, outputs);
        if (status != MR_OK) {
            fprintf(stderr, "failed: status %d\n", status);
            break;
        }
        atomic_fetch_add(&it->done, 1);
    }
    free(data);
    return NULL;
}

static void measure(bench *it, unsigned count, double seconds)
{
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    atomic_store(&it->done, 0);
    int64_t start = mr_now_us();
    it->until_us = start + (int64_t)(seconds * 1e6);
    while (started < count && pthread_create(&threads[started], NULL, work, it) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    double elapsed = (double)(mr_now_us() - start) / 1e6;
    printf("%-9s %2u threads  %8.0f per second\n", it->contents ? "contents" : "tasks", started, (double)atomic_load(&it->done) / elapsed);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bench it = {0};
    mr_diags *diags = mr_diags_new();
    char *end = NULL;
    double seconds = argc > 2 ? strtod(argv[2], &end) : 2.0;
    mr_autofree char *state = NULL;
    if (asprintf(&state, "%s/millrace-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp") < 0 || (end && *end) || !(seconds > 0 && seconds <= 3600) ||
        !mkdtemp(state)) {
        fprintf(stderr, "usage: bench_state [DIR] [SECONDS]\n");
        return 2;
    }
    bool good = mr_store_open(state, diags, &it.store) == MR_OK && mr_objects_open(state, diags, &it.objects) == MR_OK;
    for (unsigned kind = 0; good && kind < 2; kind++) {
        it.contents = kind == 1;
        for (unsigned count = 1; count <= THREADS_MAX; count *= 2)
            measure(&it, count, seconds);
    }
    mr_diags_print(diags, stderr, false);
    mr_store_close(it.store);
    mr_objects_close(it.objects);
    mr_dir_remove(state, NULL);
    mr_diags_free(diags);
    return good ? 0 : 1;
}
