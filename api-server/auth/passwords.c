/* SPDX-License-Identifier: MIT */
/*
 * Passwords: Argon2id by libsodium, 64 MiB and two passes each (RFC 9106's second choice of memory; more than OWASP asks for), a few at a time, so
 * that a crowd of sign-ins can't take the machine's memory.
 */
#include "api-server/auth/internal.h"

#include <errno.h>
#include <string.h>

_Static_assert((int)MR_PASSWORD_HASH_SIZE >= (int)crypto_pwhash_STRBYTES, "room for libsodium's text");

static void begin(mr_auth *auth)
{
    while (sem_wait(&auth->hashing) != 0 && errno == EINTR)
        continue;
}

mr_status mr_password_hash(mr_auth *auth, const char *password, char ret_hash[crypto_pwhash_STRBYTES])
{
    begin(auth);
    int failed = crypto_pwhash_str_alg(ret_hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                                       crypto_pwhash_ALG_ARGON2ID13);
    sem_post(&auth->hashing);
    return failed ? MR_ERR_NOMEM : MR_OK;
}

bool mr_password_verify(mr_auth *auth, const char *password, const char *hash)
{
    begin(auth);
    int wrong = crypto_pwhash_str_verify(hash ? hash : auth->nobody, password, strlen(password));
    sem_post(&auth->hashing);
    return hash && wrong == 0;
}

/* ---- what is taken ---- */

const char *mr_auth_password_problem(const char *password)
{
    const size_t len = strlen(password);
    if (len < MR_PASSWORD_MIN)
        return "a password has 10 characters or more";
    if (len > MR_PASSWORD_MAX)
        return "a password has 1024 bytes at most";
    if (strspn(password, (char[]){password[0], '\0'}) == len)
        return "a password is not one letter over and over";
    return NULL;
}

bool mr_auth_email_trim(const char *email, char ret_email[MR_EMAIL_SIZE])
{
    email += strspn(email, " \t\r\n");
    size_t len = strlen(email);
    while (len > 0 && strchr(" \t\r\n", email[len - 1]))
        len--;
    if (len >= MR_EMAIL_SIZE)
        return false;
    memcpy(ret_email, email, len);
    ret_email[len] = '\0';
    return true;
}

/* What RFC 5321 lets a mailbox be, without its quoted forms, which nobody has. Only a mail proves more. */
const char *mr_auth_email_problem(const char *email)
{
    const char *at = strchr(email, '@');
    if (strlen(email) >= MR_EMAIL_SIZE - 1)
        return "an address has 254 bytes at most";
    if (!at || at == email || at[1] == '\0' || strchr(at + 1, '@') || at - email > 64)
        return "an address looks like name@example.org";
    for (const unsigned char *c = (const unsigned char *)email; *c; c++) {
        if (*c <= ' ' || *c == 0x7f || strchr("\"(),:;<>[\\]", *c))
            return "an address has no blanks, quotation marks, brackets, commas, colons or backslashes";
    }
    if (email[0] == '.' || at[-1] == '.' || at[1] == '.' || at[1] == '-' || at[strlen(at) - 1] == '.' || strstr(email, ".."))
        return "no part of an address begins or ends with a dot, or has two in a row";
    return NULL;
}
