/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef MR_AUTH_INTERNAL_H
#define MR_AUTH_INTERNAL_H

#include "api-server/auth/auth.h"

#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>

enum {
    MR_SECRET = 32,          /* bytes of each secret */
    MR_SIGNING_ID = 4,       /* bytes of a signing key's id */
    MR_SIGNING_KEYS = 4,     /* that are kept */
    MR_SIGNING_DAYS = 30,    /* that one signs before the next is made */
    MR_SIGNING_OLD_DAYS = 7, /* that what it signed is good for after: longer than anything that is signed lives */
    MR_HASHES_AT_A_TIME = 2, /* of passwords, 64 MiB each */
    MR_REFRESH_GRACE_S = 10,
};

/* ---- ring.c: the keys that the server signs with ---- */

typedef struct mr_signing_key {
    uint8_t id[MR_SIGNING_ID];
    uint8_t secret[MR_SECRET];
    uint8_t access[MR_SECRET]; /* made of secret: for access tokens */
    uint8_t urls[MR_SECRET];   /* the same, for URLs */
    int64_t made_us;
} mr_signing_key;

typedef struct mr_ring {
    char folder[4096]; /* DATA/keys */
    pthread_rwlock_t lock;
    mr_signing_key keys[MR_SIGNING_KEYS]; /* the newest, which signs, first */
    size_t count;
    uint8_t root[MR_SECRET];    /* never rotates: what is made of it must be read again */
    uint8_t sealing[MR_SECRET]; /* made of root */
    uint8_t refresh[MR_SECRET];
    uint8_t server[MR_SECRET];
} mr_ring;

/* Reads DATA/keys/server.json, or makes it. why says what is wrong. */
mr_status mr_ring_open(const char *data_dir, int64_t now_us, mr_ring *ret_ring, char *why, size_t why_size);
void mr_ring_close(mr_ring *ring);
mr_status mr_ring_rotate(mr_ring *ring, int64_t now_us);        /* a new key signs from now on. Writes to disk */
mr_status mr_ring_rotate_if_due(mr_ring *ring, int64_t now_us); /* the same when the newest is old */
mr_signing_key mr_ring_newest(mr_ring *ring);
/* Those whose signatures are good at now, the newest first; how many. */
size_t mr_ring_good(mr_ring *ring, int64_t now_us, mr_signing_key ret_keys[MR_SIGNING_KEYS]);

/* ---- access.c: access tokens ---- */

typedef struct mr_claims {
    char user[MR_ID_SIZE];
    char family[MR_ID_SIZE];
    mr_role role; /* for whoever reads the token; the server asks its rows */
    int64_t version;
    int64_t issued_s, expires_s;
} mr_claims;

mr_status mr_access_make(mr_ring *ring, const mr_claims *claims, char ret_token[MR_ACCESS_SIZE]);
/* MR_ERR_INPUT: not ours, changed, expired, or of another algorithm. */
mr_status mr_access_read(mr_ring *ring, const char *token, int64_t now_us, mr_claims *ret_claims);

/* ---- passwords.c ---- */

mr_status mr_password_hash(mr_auth *auth, const char *password, char ret_hash[crypto_pwhash_STRBYTES]);
/* hash NULL: as long as with one, and false. */
bool mr_password_verify(mr_auth *auth, const char *password, const char *hash);

struct mr_auth {
    mr_metadata *metadata;
    mr_ring ring;
    sem_t hashing;
    pthread_mutex_t changing;            /* a row is looked at and written in one: whether a token was used before, whether a user is as it was */
    char nobody[crypto_pwhash_STRBYTES]; /* a hash that no password has */
};

/* 32 random bytes from outside as 43 letters, and back. False: it is no such text. */
enum { MR_SECRET_TEXT = 44 };
void mr_secret_text(const uint8_t secret[MR_SECRET], char ret_text[MR_SECRET_TEXT]);
bool mr_secret_read(const char *text, uint8_t ret_secret[MR_SECRET]);
void mr_secret_hash(const char text[MR_SECRET_TEXT], char ret_hash[MR_HASH_SIZE]); /* as rows keep it: SHA-256 in hex */

/* keys.c: by "mrk_…". */
mr_status mr_key_identify(mr_auth *auth, const char *text, mr_identity *ret_who);

#endif
