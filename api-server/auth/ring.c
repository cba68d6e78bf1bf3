/* SPDX-License-Identifier: MIT */
/*
 * The secrets of the server: DATA/keys/server.json, mode 0600, {root, signing: [{id, secret, made_us}, …]}. It is replaced whole, so that it is there
 * in one piece whenever the machine stops. What is used is made of them by HMAC-SHA256 over the name of the use: no secret serves two.
 */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"
#include "api-server/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US (86400 * INT64_C(1000000))

enum { FILE_MAX = 16384 };

static void derive(const uint8_t secret[MR_SECRET], const char *use, uint8_t ret[MR_SECRET])
{
    crypto_auth_hmacsha256(ret, (const unsigned char *)use, strlen(use), secret);
}

void mr_secret_text(const uint8_t secret[MR_SECRET], char ret_text[MR_SECRET_TEXT])
{
    sodium_bin2base64(ret_text, MR_SECRET_TEXT, secret, MR_SECRET, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool mr_secret_read(const char *text, uint8_t ret_secret[MR_SECRET])
{
    size_t len = 0;
    const char *end = NULL;
    return strlen(text) == MR_SECRET_TEXT - 1 &&
           sodium_base642bin(ret_secret, MR_SECRET, text, MR_SECRET_TEXT - 1, NULL, &len, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           len == MR_SECRET && *end == '\0';
}

void mr_secret_hash(const char text[MR_SECRET_TEXT], char ret_hash[MR_HASH_SIZE])
{
    uint8_t sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, (const unsigned char *)text, MR_SECRET_TEXT - 1);
    sodium_bin2hex(ret_hash, MR_HASH_SIZE, sum, sizeof(sum));
}

/* ---- the file ---- */

static json_t *secret_json(const uint8_t secret[MR_SECRET])
{
    char text[MR_SECRET_TEXT];
    mr_secret_text(secret, text);
    return json_string(text);
}

static char *ring_text(const mr_ring *ring)
{
    json_t *signing = json_array();
    for (size_t i = 0; i < ring->count; i++) {
        char id[2 * MR_SIGNING_ID + 1];
        sodium_bin2hex(id, sizeof(id), ring->keys[i].id, MR_SIGNING_ID);
        json_array_append_new(signing, json_pack("{s:s, s:o, s:I}", "id", id, "secret", secret_json(ring->keys[i].secret), "made_us",
                                                 (json_int_t)ring->keys[i].made_us));
    }
    json_t *all = json_pack("{s:o, s:o}", "root", secret_json(ring->root), "signing", signing);
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}

static bool write_file(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t wrote = write(fd, text, left);
        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0) {
            text += wrote;
            left -= (size_t)wrote;
        }
    }
    return fsync(fd) == 0;
}

/* Beside it, then in its place. */
static mr_status save(const mr_ring *ring)
{
    char *text = ring_text(ring);
    int folder = open(ring->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder >= 0 ? openat(folder, "server.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    bool saved = text && fd >= 0 && fchmod(fd, 0600) == 0 && write_file(fd, text) &&
                 renameat(folder, "server.json.new", folder, "server.json") == 0 && fsync(folder) == 0;
    if (fd >= 0)
        close(fd);
    if (folder >= 0)
        close(folder);
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
    return saved ? MR_OK : MR_ERR_IO;
}

static bool read_key(json_t *from, mr_signing_key *ret_key)
{
    const char *id = NULL;
    const char *secret = NULL;
    json_int_t made_us = 0;
    size_t len = 0;
    if (json_unpack(from, "{s:s, s:s, s:I}", "id", &id, "secret", &secret, "made_us", &made_us) != 0 || !mr_secret_read(secret, ret_key->secret) ||
        sodium_hex2bin(ret_key->id, MR_SIGNING_ID, id, strlen(id), NULL, &len, NULL) != 0 || len != MR_SIGNING_ID)
        return false;
    ret_key->made_us = made_us;
    derive(ret_key->secret, "access tokens", ret_key->access);
    derive(ret_key->secret, "urls", ret_key->urls);
    return true;
}

static bool read_ring(const char *text, size_t len, mr_ring *ring)
{
    json_t *all = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const char *root = json_string_value(json_object_get(all, "root"));
    json_t *signing = json_object_get(all, "signing");
    bool good = root && mr_secret_read(root, ring->root) && json_array_size(signing) > 0 && json_array_size(signing) <= MR_SIGNING_KEYS;
    for (size_t i = 0; good && i < json_array_size(signing); i++)
        good = read_key(json_array_get(signing, i), &ring->keys[ring->count++]);
    json_decref(all);
    return good;
}

/* MR_ERR_NOT_FOUND: there is none yet. */
static mr_status load(mr_ring *ring, char *why, size_t why_size)
{
    char path[sizeof(ring->folder) + 16];
    char text[FILE_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/server.json", ring->folder);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        const bool missing = errno == ENOENT;
        snprintf(why, why_size, "'%s' can't be read: %m", path);
        return missing ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    }
    mr_status status = MR_OK;
    ssize_t len = fstat(fd, &st) == 0 ? read(fd, text, sizeof(text)) : -1;
    close(fd);
    if (len < 0 || (st.st_mode & 077)) {
        snprintf(why, why_size, len < 0 ? "'%s' can't be read" : "'%s' holds secrets, and others may read it: chmod 600 it", path);
        status = MR_ERR_IO;
    } else if (!read_ring(text, (size_t)len, ring)) {
        snprintf(why, why_size, "'%s' is damaged: restore it from a backup, or move it away (all are signed out then, and API keys end)", path);
        status = MR_ERR_IO;
    }
    sodium_memzero(text, sizeof(text));
    return status;
}

/* ---- the ring ---- */

/* The caller holds the lock, or is alone. */
static mr_status push_key(mr_ring *ring, int64_t now_us)
{
    const mr_ring *before = ring;
    mr_signing_key kept[MR_SIGNING_KEYS];
    size_t count = before->count < MR_SIGNING_KEYS ? before->count : MR_SIGNING_KEYS - 1;
    memcpy(kept, before->keys, sizeof(kept));
    mr_signing_key *key = &ring->keys[0];
    const size_t old_count = ring->count;
    memmove(&ring->keys[1], kept, count * sizeof(*kept));
    randombytes_buf(key->id, sizeof(key->id));
    randombytes_buf(key->secret, sizeof(key->secret));
    key->made_us = now_us;
    derive(key->secret, "access tokens", key->access);
    derive(key->secret, "urls", key->urls);
    ring->count = count + 1;
    mr_status status = save(ring);
    if (status != MR_OK) { /* what isn't kept must not sign */
        memcpy(ring->keys, kept, sizeof(kept));
        ring->count = old_count;
    }
    sodium_memzero(kept, sizeof(kept));
    return status;
}

/* Of several processes that find no ring one makes it, and all have the same. */
static mr_status load_or_make(mr_ring *ring, int64_t now_us, char *why, size_t why_size)
{
    const int folder = mr_folder_lock(ring->folder);
    if (folder < 0) {
        snprintf(why, why_size, "'%s' can't be locked: %m", ring->folder);
        return MR_ERR_IO;
    }
    mr_status status = load(ring, why, why_size);
    if (status == MR_ERR_NOT_FOUND) {
        randombytes_buf(ring->root, sizeof(ring->root));
        status = push_key(ring, now_us);
        if (status != MR_OK)
            snprintf(why, why_size, "'%s/server.json' can't be written: %m", ring->folder);
    }
    close(folder); /* with the lock */
    return status;
}

mr_status mr_ring_open(const char *data_dir, int64_t now_us, mr_ring *ret_ring, char *why, size_t why_size)
{
    mr_ring *ring = ret_ring;
    memset(ring, 0, sizeof(*ring));
    int len = snprintf(ring->folder, sizeof(ring->folder), "%s/keys", data_dir);
    if (len < 0 || (size_t)len >= sizeof(ring->folder) || pthread_rwlock_init(&ring->lock, NULL) != 0) {
        snprintf(why, why_size, "the path of the data folder is too long");
        return MR_ERR_IO;
    }
    if (mkdir(ring->folder, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "'%s' can't be made: %m", ring->folder);
        return MR_ERR_IO;
    }
    const mr_status status = load_or_make(ring, now_us, why, why_size);
    derive(ring->root, "sealing", ring->sealing);
    derive(ring->root, "refresh tokens", ring->refresh);
    derive(ring->root, "server", ring->server);
    return status;
}

void mr_ring_close(mr_ring *ring)
{
    pthread_rwlock_destroy(&ring->lock);
    sodium_memzero(ring, sizeof(*ring));
}

mr_status mr_ring_rotate(mr_ring *ring, int64_t now_us)
{
    pthread_rwlock_wrlock(&ring->lock);
    mr_status status = push_key(ring, now_us);
    pthread_rwlock_unlock(&ring->lock);
    return status;
}

mr_status mr_ring_rotate_if_due(mr_ring *ring, int64_t now_us)
{
    pthread_rwlock_wrlock(&ring->lock);
    mr_status status = now_us - ring->keys[0].made_us >= MR_SIGNING_DAYS * DAY_US ? push_key(ring, now_us) : MR_OK;
    pthread_rwlock_unlock(&ring->lock);
    return status;
}

mr_signing_key mr_ring_newest(mr_ring *ring)
{
    pthread_rwlock_rdlock(&ring->lock);
    const mr_signing_key key = ring->keys[0];
    pthread_rwlock_unlock(&ring->lock);
    return key;
}

size_t mr_ring_good(mr_ring *ring, int64_t now_us, mr_signing_key ret_keys[MR_SIGNING_KEYS])
{
    pthread_rwlock_rdlock(&ring->lock);
    size_t count = 0;
    while (count < ring->count && (count == 0 || now_us - ring->keys[count - 1].made_us < MR_SIGNING_OLD_DAYS * DAY_US)) {
        ret_keys[count] = ring->keys[count];
        count++;
    }
    pthread_rwlock_unlock(&ring->lock);
    return count;
}
