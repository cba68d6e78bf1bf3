/* SPDX-License-Identifier: MIT */
/* People, their sessions and their API keys, as they are kept. What a password or a token is, api-server/auth knows. metadata.h: threads, errors. */
#ifndef MR_METADATA_ACCOUNTS_H
#define MR_METADATA_ACCOUNTS_H

#include "api-server/auth/identity.h"
#include "api-server/metadata/metadata.h"

enum { MR_EMAIL_SIZE = 256, MR_NAME_SIZE = 256, MR_PASSWORD_HASH_SIZE = 160, MR_SECRET_SIZE = 256, MR_CURSOR_SIZE = 128, MR_HASH_SIZE = 72 };

typedef struct mr_user {
    char id[MR_ID_SIZE];
    char email[MR_EMAIL_SIZE]; /* as it was typed; looked up without regard to case */
    char name[MR_NAME_SIZE];
    char password[MR_PASSWORD_HASH_SIZE]; /* its hash, in libsodium's text form */
    mr_role role;
    bool disabled;
    int64_t version;     /* of his tokens: those of an older one are revoked */
    int64_t quota_bytes; /* -1: none */
    int64_t used_bytes;  /* of his videos' sources; filled by what reads */
    int64_t created_us;
} mr_user;

/* Adds. MR_ERR_CONFLICT: the address has an account. only_first: MR_ERR_CONFLICT too when there is any user (first set-up, decided in one
 * transaction). */
mr_status mr_user_add(mr_metadata *metadata, const mr_user *user, bool only_first);
mr_status mr_user_find(mr_metadata *metadata, const char *id, mr_user *ret_user);
mr_status mr_user_find_email(mr_metadata *metadata, const char *email, mr_user *ret_user);
/* Writes all fields but id, created_us, used_bytes, if the version is still `was`: else MR_ERR_UNAVAILABLE, also when another process changed it. A
 * new version ends his sessions. The last administrator who is not disabled stays one: MR_ERR_LIMIT. MR_ERR_CONFLICT: the address has another
 * account. */
mr_status mr_user_update(mr_metadata *metadata, const mr_user *user, int64_t was);
/* With his sessions, keys and positions. MR_ERR_CONFLICT: he has videos. MR_ERR_LIMIT: the last administrator. */
mr_status mr_user_remove(mr_metadata *metadata, const char *id);
int64_t mr_user_count(mr_metadata *metadata); /* < 0: an error */
/* By time of creation. cursor: NULL or what the page before gave; ret_next: "" at the end. MR_ERR_PARAM: no cursor of ours. ret_users: room for
 * limit. */
mr_status mr_user_list(mr_metadata *metadata, const char *cursor, size_t limit, mr_user *ret_users, size_t *ret_count,
                       char ret_next[static MR_CURSOR_SIZE]);

/* ---- sessions: families of refresh tokens ---- */

typedef struct mr_family {
    char id[MR_ID_SIZE];
    char user[MR_ID_SIZE];
    char token_hash[MR_HASH_SIZE]; /* of the one refresh token that holds */
    int64_t generation;            /* how often it was rotated */
    int64_t created_us, used_us, expires_us;
    bool revoked;
} mr_family;

mr_status mr_family_add(mr_metadata *metadata, const mr_family *family);
mr_status mr_family_find(mr_metadata *metadata, const char *id, mr_family *ret_family);
/* If the family is alive and its token is old_hash: new_hash instead, one generation on (MR_OK). Another token: the family is revoked, in the same
 * transaction, and MR_ERR_CONFLICT. Revoked, expired or unknown: MR_ERR_NOT_FOUND. */
mr_status mr_family_rotate(mr_metadata *metadata, const char *id, const char *old_hash, const char *new_hash, int64_t now_us, int64_t expires_us);
mr_status mr_family_revoke(mr_metadata *metadata, const char *id); /* unknown: MR_OK */
mr_status mr_family_revoke_all(mr_metadata *metadata, const char *user);
/* Quick: whether access tokens of this family and version still hold. The role and the disabled flag are the user's of now. */
mr_status mr_family_check(mr_metadata *metadata, const char *family, const char *user, int64_t version, mr_role *ret_role);

/* ---- API keys ---- */

typedef struct mr_key {
    char id[MR_ID_SIZE]; /* also the S3 access key id */
    char user[MR_ID_SIZE];
    char name[MR_NAME_SIZE];
    char hash[MR_HASH_SIZE];     /* of the secret */
    char secret[MR_SECRET_SIZE]; /* sealed with the server's key, as text: SigV4 needs it back */
    uint32_t scopes;
    int64_t created_us, used_us; /* used_us: 0: never; to the hour */
    int64_t expires_us;          /* 0: never */
    mr_role role;                /* the user's of now; MR_ROLE_NOBODY: he is disabled. Filled by what reads */
} mr_key;

enum { MR_KEYS_MAX = 100 }; /* of one user */

mr_status mr_key_add(mr_metadata *metadata, const mr_key *key); /* MR_ERR_LIMIT: he has MR_KEYS_MAX */
mr_status mr_key_find(mr_metadata *metadata, const char *id, mr_key *ret_key);
mr_status mr_key_used(mr_metadata *metadata, const char *id, int64_t now_us); /* writes once an hour at most */
mr_status mr_key_remove(mr_metadata *metadata, const char *user, const char *id);
mr_status mr_key_list(mr_metadata *metadata, const char *user, mr_key **ret_keys, size_t *ret_count); /* the caller frees */

#endif
