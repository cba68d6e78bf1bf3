/* SPDX-License-Identifier: MIT */
/*
 * What strangers send to prove who they are: access tokens, tokens of URLs, cookies, addresses in X-Forwarded-For, addresses of mail, times. The
 * first byte says which. Nothing that the server did not sign is ever good.
 */
#include "api-server/auth/internal.h"
#include "api-server/base/clock.h"
#include "api-server/limits/client.h"
#include "api-server/routes/cookie.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mr_auth auth;

static void require(bool right)
{
    if (!right)
        abort();
}

static void begin(void)
{
    static bool begun;
    if (begun)
        return;
    begun = sodium_init() >= 0 && pthread_rwlock_init(&auth.ring.lock, NULL) == 0;
    require(begun);
    auth.ring.count = 1;
    randombytes_buf(&auth.ring.keys[0], sizeof(auth.ring.keys[0]));
}

static void try_url(const char *text)
{
    char scope[16];
    int64_t expires_us;
    require(mr_auth_url_check(&auth, "/media/v/", text, scope, &expires_us) == MR_ERR_INPUT);
}

static void try_access(const char *text)
{
    mr_claims claims;
    require(mr_access_read(&auth.ring, text, 0, &claims) == MR_ERR_INPUT);
}

static void try_cookie(const char *text)
{
    char value[24];
    if (mr_cookie_find(text, MR_REFRESH_COOKIE, value, sizeof(value)))
        require(value[0] != '\0' && strlen(value) < sizeof(value) && strstr(text, value) && !strchr(value, ';'));
}

static void try_forwarded(const char *text)
{
    mr_proxies proxies;
    const char *bad = NULL;
    char client[MR_ADDRESS_SIZE];
    char network[MR_ADDRESS_SIZE];
    require(mr_proxies_read("127.0.0.1, 10.0.0.0/8, ::1", &proxies, &bad));
    mr_client_address(&proxies, "127.0.0.1", text, client);
    require(client[0] != '\0' && strlen(client) < sizeof(client));
    mr_address_network(client, network);
    require(strcmp(network, "?") != 0);
    require(mr_proxies_read(text, &proxies, &bad) ? proxies.count <= MR_PROXIES_MAX : bad >= text && bad < text + strlen(text));
}

static void try_words(const char *text)
{
    char email[MR_EMAIL_SIZE];
    uint8_t secret[MR_SECRET];
    int64_t us;
    if (mr_auth_email_trim(text, email) && !mr_auth_email_problem(email))
        require(strchr(email, '@') && !strpbrk(email, " \t\r\n"));
    mr_auth_password_problem(text);
    mr_time_read(text, &us);
    require(!mr_secret_read(text, secret) || strlen(text) == MR_SECRET_TEXT - 1);
    char *opened = mr_auth_unseal(&auth, "x", text);
    require(!opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const char *text) = {try_url, try_access, try_cookie, try_forwarded, try_words};
    begin();
    char *text = size > 0 ? strndup((const char *)data + 1, size - 1) : NULL;
    if (text)
        tries[data[0] % (sizeof(tries) / sizeof(*tries))](text);
    free(text);
    return 0;
}
