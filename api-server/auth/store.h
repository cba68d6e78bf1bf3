/* SPDX-License-Identifier: MIT */
/*
 * What accounts ask of the metadata, as a table, so that they can be tested without it. api-server/metadata fills it (SQLite today).
 *
 * Every call may come from any thread; those that write may block for as long as a disk does, and when they return MR_OK what they wrote is durable.
 * The reading ones that say so are called for requests on the quick lane. MR_ERR_NOT_FOUND: there is none of that id. Passwords, tokens and keys
 * come here hashed or sealed only.
 */
#ifndef MR_AUTH_STORE_H
#define MR_AUTH_STORE_H

#include "api-server/auth/identity.h"

#include <millrace/status.h>
#include <stddef.h>

enum {
    MR_EMAIL_SIZE = 256, /* RFC 5321: 254 and NUL */
    MR_USER_NAME_SIZE = 256,
    MR_PASSWORD_HASH = 128, /* crypto_pwhash_STRBYTES */
    MR_TOKEN_HASH = 32,     /* SHA-256 */
    MR_KEY_NAME_SIZE = 128,
    MR_KEY_SEALED = 128,
};

typedef struct mr_user {
    char id[MR_ID_SIZE];
    char email[MR_EMAIL_SIZE]; /* in lower case; unique */
    char name[MR_USER_NAME_SIZE];
    mr_role role;
    bool disabled;
    int64_t version;     /* of the user's tokens: those of another are good no more */
    int64_t quota_bytes; /* 0: none */
    int64_t used_bytes;  /* filled when read: what the user's videos and uploads take */
    int64_t created_us;
    char password[MR_PASSWORD_HASH];
} mr_user;

/* Which fields of the user are to be written. */
enum {
    MR_USER_EMAIL = 1u << 0,
    MR_USER_NAME = 1u << 1,
    MR_USER_ROLE = 1u << 2,
    MR_USER_DISABLED = 1u << 3,
    MR_USER_QUOTA = 1u << 4,
    MR_USER_PASSWORD = 1u << 5,
};

/* One sign-in, and the chain of refresh tokens that came of it. */
typedef struct mr_family {
    char id[MR_ID_SIZE];
    char user[MR_ID_SIZE];
    bool revoked;
    int64_t created_us;
    int64_t expires_us;
} mr_family;

typedef struct mr_rotation {
    const char *family;
    uint8_t presented[MR_TOKEN_HASH]; /* hash of the token that came */
    uint8_t next[MR_TOKEN_HASH];      /* of the one that follows it */
    int64_t now_us;
    int64_t grace_us;   /* for so long the one before the current may come again: the answer was lost, or two tabs asked */
    int64_t expires_us; /* of the family from now on */
} mr_rotation;

typedef struct mr_key {
    char id[MR_ID_SIZE];
    char user[MR_ID_SIZE];
    char name[MR_KEY_NAME_SIZE];
    uint32_t scopes;
    int64_t created_us;
    int64_t expires_us; /* 0: never */
    uint8_t hash[MR_TOKEN_HASH];
    uint8_t sealed[MR_KEY_SEALED]; /* the secret, encrypted, for signatures that need it */
    uint32_t sealed_len;
} mr_key;

typedef struct mr_auth_store {
    void *context;

    /* ---- users ---- */

    /* MR_ERR_CONFLICT: the address is taken; with first: there is a user already, looked at in the same transaction. */
    mr_status (*user_add)(void *context, const mr_user *user, bool first);
    mr_status (*user_find)(void *context, const char *id, mr_user *ret_user);        /* quick */
    mr_status (*user_by_email)(void *context, const char *email, mr_user *ret_user); /* quick */
    mr_status (*user_any)(void *context, bool *ret_any);                             /* quick: whether there is one */
    /* By created_us and id, after the user of that id (NULL: from the first), at most `most`. The caller frees *ret_users. */
    mr_status (*users)(void *context, const char *after, size_t most, mr_user **ret_users, size_t *ret_count);
    /* Writes the fields of mask. Adds 1 to the version, and revokes the user's families, with new_version. In the same transaction: the last
     * administrator that is not disabled stays one (MR_ERR_LIMIT); an address that is taken: MR_ERR_CONFLICT. *ret_user: as it is now. */
    mr_status (*user_change)(void *context, const mr_user *user, uint32_t mask, bool new_version, mr_user *ret_user);
    /* With families and keys, positions and views. MR_ERR_LIMIT: the last administrator; MR_ERR_CONFLICT: there are videos of the user. */
    mr_status (*user_remove)(void *context, const char *id);

    /* ---- sign-ins ---- */

    mr_status (*family_add)(void *context, const mr_family *family, const uint8_t token[MR_TOKEN_HASH]);
    mr_status (*family_find)(void *context, const char *id, mr_family *ret_family); /* quick */
    /*
     * One transaction. presented is the current token: it becomes the one before, next the current. It is the one before, which was rotated
     * less than grace_us ago: nothing changes. Else the family is revoked: MR_ERR_CONFLICT. Unknown, revoked or expired: MR_ERR_NOT_FOUND.
     */
    mr_status (*family_rotate)(void *context, const mr_rotation *rotation, mr_family *ret_family);
    mr_status (*family_revoke)(void *context, const char *id);
    mr_status (*families_expire)(void *context, int64_t before_us); /* removes those that expired before */

    /* ---- API keys ---- */

    /* MR_ERR_LIMIT: the user has most already. */
    mr_status (*key_add)(void *context, const mr_key *key, size_t most);
    mr_status (*key_find)(void *context, const char *id, mr_key *ret_key);                    /* quick */
    mr_status (*keys)(void *context, const char *user, mr_key **ret_keys, size_t *ret_count); /* all of a user; the caller frees */
    mr_status (*key_remove)(void *context, const char *user, const char *id);                 /* of another user: MR_ERR_NOT_FOUND */
} mr_auth_store;

#endif
