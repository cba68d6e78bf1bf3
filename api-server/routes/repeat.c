/* SPDX-License-Identifier: MIT */
/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): who sends a POST again because its answer was lost gets that answer. Keys are each
 * user's own; of callers whom nobody knows they are not taken, or one could read what another was answered.
 *
 * Answers may hold what is shown once (an API key), and bodies what is shown never (a password): the row has the answer sealed, and of the body a
 * digest with the server's key, so that whoever reads the database can't try passwords on it.
 */
#include "api-server/auth/auth.h"
#include "api-server/metadata/metadata.h"
#include "api-server/routes/call.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 255, DIGEST = 32 };

static bool is_key(const char *text)
{
    const size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return len > 0 && len <= KEY_MAX;
}

static const char *key_of(const mr_call *call)
{
    const bool may = strcmp(mr_http_method(call->exchange), "POST") == 0 && call->route->takes == MR_BODY_JSON &&
                     call->route->lane != MR_LANE_QUICK && call->who.user[0] != '\0' && !call->route->asks_itself;
    return may ? mr_http_field(call->exchange, "Idempotency-Key") : NULL;
}

static void digest_of(const mr_call *call, unsigned char sum[DIGEST])
{
    crypto_generichash_state state;
    const char *target = mr_http_target(call->exchange);
    char secret[MR_KEY_SECRET_SIZE];
    mr_auth_server_secret(call->server->auth, "idempotency", secret);
    crypto_generichash_init(&state, (const unsigned char *)secret, strlen(secret), DIGEST);
    crypto_generichash_update(&state, (const unsigned char *)target, strlen(target) + 1);
    if (call->parts->body_len > 0)
        crypto_generichash_update(&state, (const unsigned char *)call->parts->body, call->parts->body_len);
    crypto_generichash_final(&state, sum, DIGEST);
}

/* Takes sealed. False: it is another server's, whose keys are gone. */
static bool replay(mr_call *call, int status, char *take_sealed)
{
    char *answer = mr_auth_unseal(call->server->auth, call->who.user, take_sealed);
    free(take_sealed);
    if (!answer)
        return false;
    mr_http_reply_field(call->exchange, "Idempotency-Replayed", "true");
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_text(call, status, status >= 400 ? "application/problem+json" : "application/json", answer, strlen(answer));
    free(answer);
    return true;
}

bool mr_call_claim(mr_call *call)
{
    unsigned char sum[DIGEST];
    char digest[2 * DIGEST + 1];
    char *answer = NULL;
    int status = 0;
    const char *key = key_of(call);
    if (!key)
        return true;
    if (!is_key(key)) {
        mr_call_problem(call, 400, "bad-idempotency-key", "Idempotency-Key must be 1 to %d printable characters of ASCII", KEY_MAX);
        return false;
    }
    digest_of(call, sum);
    sodium_bin2hex(digest, sizeof(digest), sum, sizeof(sum));
    switch (mr_idempotency_claim(call->server->metadata, call->who.user, key, digest, &status, &answer)) {
    case MR_OK: call->parts->claimed = true; return true;
    case MR_END:
        if (!replay(call, status, answer))
            mr_call_problem(call, 409, "conflict", "what the first request with this Idempotency-Key was answered can't be read any more");
        break;
    case MR_ERR_CONFLICT:
        mr_call_problem(call, 409, "idempotency-in-progress", "the first request with this Idempotency-Key has no answer yet");
        break;
    case MR_ERR_PARAM:
        mr_call_problem(call, 422, "idempotency-key-reused", "this Idempotency-Key was sent with another request; take a new one for each");
        break;
    default: mr_call_status(call, MR_ERR_UNAVAILABLE, "request"); break;
    }
    return false;
}

void mr_call_keep_answer(mr_call *call, int status, const char *type, const char *text, size_t len)
{
    const char *key = mr_http_field(call->exchange, "Idempotency-Key");
    char *copy = status < 500 && strstr(type, "json") ? strndup(text, len) : NULL;
    if (!copy)
        return; /* mr_call_unclaim() lets the next one try */
    char *sealed = mr_auth_seal(call->server->auth, call->who.user, copy);
    if (sealed && mr_idempotency_keep(call->server->metadata, call->who.user, key, status, sealed) == MR_OK)
        call->parts->claimed = false;
    free(sealed);
    free(copy);
}

bool mr_call_make_id(mr_call *call, char letter, char ret_id[MR_ID_SIZE])
{
    unsigned char sum[DIGEST];
    unsigned __int128 number;
    crypto_generichash_state state;
    const char *key = call->parts->claimed ? key_of(call) : NULL;
    if (!key)
        return mr_id_make(letter, ret_id);
    digest_of(call, sum); /* keyed: nobody can tell it beforehand */
    crypto_generichash_init(&state, sum, sizeof(sum), sizeof(number));
    crypto_generichash_update(&state, (const unsigned char *)call->who.user, strlen(call->who.user) + 1);
    crypto_generichash_update(&state, (const unsigned char *)key, strlen(key));
    crypto_generichash_final(&state, (unsigned char *)&number, sizeof(number));
    mr_id_of(letter, number, ret_id);
    return true;
}

void mr_call_unclaim(mr_call *call)
{
    if (call->parts->claimed)
        mr_idempotency_forget(call->server->metadata, call->who.user, mr_http_field(call->exchange, "Idempotency-Key"));
    call->parts->claimed = false;
}
