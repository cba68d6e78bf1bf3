/* SPDX-License-Identifier: MIT */
/* `millrace user`: what it asks, done by the same functions as the routes. */
#include "api-server/administer.h"

#include "api-server/auth/words.h"
#include "api-server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct task {
    mr_metadata *metadata;
    mr_auth *auth;
    json_t *request;
    const char *password; /* NULL: none was given */
    FILE *out;
    mr_server_error *error;
} task;

static void complain(void *context, const char *message)
{
    const mr_platform_host *host = context;
    host->log(host->platform, MR_SERVER_LOG_ERROR, "metadata", NULL, message);
}

mr_status mr_server_open_accounts(const mr_platform_host *host, mr_metadata **ret_metadata, mr_auth **ret_auth, char *why, size_t why_size)
{
    char *path = NULL;
    if (asprintf(&path, "%s/metadata.db", host->data_dir) < 0) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    mr_status status = mr_metadata_open(path, complain, (void *)host, why, why_size, ret_metadata);
    if (status == MR_OK)
        status = mr_auth_open(host->data_dir, *ret_metadata, why, why_size, ret_auth);
    free(path);
    return status;
}

/* ---- what may be asked ---- */

static mr_status refuse(const task *it, mr_status status, const char *email)
{
    switch (status) {
    case MR_OK: break;
    case MR_ERR_NOT_FOUND: mr_server_fail(it->error, "'millrace user list' shows who there is", "there is no user '%s'", email); break;
    case MR_ERR_CONFLICT: mr_server_fail(it->error, NULL, "there is a user '%s' already", email); break;
    case MR_ERR_LIMIT: mr_server_fail(it->error, "make another administrator first", "'%s' is the last administrator", email); break;
    case MR_ERR_NOMEM: mr_server_fail(it->error, NULL, "out of memory"); break;
    default: mr_server_fail(it->error, NULL, "the database can't be written to"); break;
    }
    return status;
}

static mr_status read_role(const task *it, mr_role *ret_role)
{
    const char *name = json_string_value(json_object_get(it->request, "role"));
    if (!name || mr_role_read(name, ret_role))
        return MR_OK;
    mr_server_fail(it->error, "say viewer, creator or admin", "there is no role '%s'", name);
    return MR_ERR_PARAM;
}

static mr_status check_password(const task *it)
{
    const char *problem = it->password ? mr_auth_password_problem(it->password) : "a password is needed";
    if (!problem)
        return MR_OK;
    mr_server_fail(it->error, NULL, "%s", problem);
    return MR_ERR_PARAM;
}

static mr_status find(const task *it, mr_user *ret_user, const char **ret_email)
{
    const char *email = json_string_value(json_object_get(it->request, "email"));
    *ret_email = email ? email : "";
    return refuse(it, email ? mr_user_find_email(it->metadata, email, ret_user) : MR_ERR_NOT_FOUND, *ret_email);
}

static mr_status user_add(const task *it)
{
    const char *email = json_string_value(json_object_get(it->request, "email"));
    const char *name = json_string_value(json_object_get(it->request, "name"));
    mr_user user = {.role = MR_ROLE_VIEWER, .quota_bytes = -1};
    const char *problem =
        email && mr_auth_email_trim(email, user.email) ? mr_auth_email_problem(user.email) : "an address looks like name@example.org";
    if (problem) {
        mr_server_fail(it->error, NULL, "'%s' is no address: %s", email ? email : "", problem);
        return MR_ERR_PARAM;
    }
    mr_status status = read_role(it, &user.role);
    if (status == MR_OK)
        status = check_password(it);
    if (status != MR_OK)
        return status;
    snprintf(user.name, sizeof(user.name), "%s", name ? name : "");
    status = refuse(it, mr_auth_add_user(it->auth, &user, it->password, false), user.email);
    if (status == MR_OK)
        fprintf(it->out, "%s is a user now, with the role %s\n", user.email, mr_role_name(user.role));
    return status;
}

static mr_status user_list(const task *it)
{
    char cursor[MR_CURSOR_SIZE] = "";
    mr_user *users = calloc(MR_METADATA_PAGE, sizeof(*users));
    mr_status status = users ? MR_OK : MR_ERR_NOMEM;
    do {
        char next[MR_CURSOR_SIZE] = "";
        size_t count = 0;
        if (status == MR_OK)
            status = mr_user_list(it->metadata, cursor[0] ? cursor : NULL, MR_METADATA_PAGE, users, &count, next);
        for (size_t i = 0; status == MR_OK && i < count; i++)
            fprintf(it->out, "%-8s %-9s %s%s%s\n", mr_role_name(users[i].role), users[i].disabled ? "disabled" : "", users[i].email,
                    users[i].name[0] ? "  " : "", users[i].name);
        memcpy(cursor, next, sizeof(cursor));
    } while (status == MR_OK && cursor[0]);
    free(users);
    return refuse(it, status, "");
}

static mr_status user_role(const task *it)
{
    mr_user user;
    const char *email;
    mr_status status = find(it, &user, &email);
    if (status == MR_OK)
        status = read_role(it, &user.role);
    if (status == MR_OK)
        status = refuse(it, mr_auth_change_user(it->auth, &user, NULL), email);
    if (status == MR_OK)
        fprintf(it->out, "%s has the role %s now, and signs in anew\n", user.email, mr_role_name(user.role));
    return status;
}

static mr_status set_disabled(const task *it, bool disabled)
{
    mr_user user;
    const char *email;
    mr_status status = find(it, &user, &email);
    user.disabled = disabled;
    if (status == MR_OK)
        status = refuse(it, mr_auth_change_user(it->auth, &user, NULL), email);
    if (status == MR_OK)
        fprintf(it->out, disabled ? "%s can't sign in any more\n" : "%s can sign in again\n", user.email);
    return status;
}

static mr_status user_disable(const task *it)
{
    return set_disabled(it, true);
}

static mr_status user_enable(const task *it)
{
    return set_disabled(it, false);
}

static mr_status user_password(const task *it)
{
    mr_user user;
    const char *email;
    mr_status status = find(it, &user, &email);
    if (status == MR_OK)
        status = check_password(it);
    if (status == MR_OK)
        status = refuse(it, mr_auth_change_user(it->auth, &user, it->password), email);
    if (status == MR_OK)
        fprintf(it->out, "%s has a new password; all sign-ins have ended\n", user.email);
    return status;
}

static mr_status user_remove(const task *it)
{
    mr_user user;
    const char *email;
    mr_status status = find(it, &user, &email);
    if (status != MR_OK)
        return status;
    status = mr_user_remove(it->metadata, user.id);
    if (status == MR_ERR_CONFLICT)
        mr_server_fail(it->error, "delete these first, or 'millrace user disable' the account", "'%s' has videos", email);
    else
        refuse(it, status, email);
    if (status == MR_OK)
        fprintf(it->out, "%s is no user any more\n", user.email);
    return status;
}

static const struct deed {
    const char *name;
    mr_status (*run)(const task *it);
} deeds[] = {
    {"user.add", user_add},       {"user.list", user_list},         {"user.role", user_role},     {"user.disable", user_disable},
    {"user.enable", user_enable}, {"user.password", user_password}, {"user.remove", user_remove},
};

static mr_status run(const struct deed *deed, task *it, char **ret_answer)
{
    size_t len = 0;
    it->out = open_memstream(ret_answer, &len);
    mr_status status = it->out ? deed->run(it) : MR_ERR_NOMEM;
    if (it->out && fclose(it->out) != 0 && status == MR_OK)
        status = MR_ERR_NOMEM;
    return status;
}

mr_status mr_server_administer(const mr_platform_host *host, const void *settings, const char *request, const char *password, char **ret_answer,
                               mr_server_error *error)
{
    (void)settings;
    task it = {.request = json_loads(request, JSON_REJECT_DUPLICATES, NULL), .password = password, .error = error};
    const char *name = json_string_value(json_object_get(it.request, "do"));
    char why[MR_SERVER_WORDS] = "";
    mr_status status = MR_ERR_UNSUPPORTED;
    *ret_answer = NULL;
    mr_server_fail(error, NULL, "there is nothing like '%s'", name ? name : request);
    for (size_t i = 0; name && i < sizeof(deeds) / sizeof(*deeds); i++) {
        if (strcmp(deeds[i].name, name) != 0)
            continue;
        status = mr_server_open_accounts(host, &it.metadata, &it.auth, why, sizeof(why));
        mr_server_fail(error, NULL, "%s", status == MR_OK ? "out of memory" : why);
        if (status == MR_OK)
            status = run(&deeds[i], &it, ret_answer);
    }
    mr_auth_close(it.auth);
    mr_metadata_close(it.metadata);
    json_decref(it.request);
    return status;
}
