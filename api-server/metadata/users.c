/* SPDX-License-Identifier: MIT */
/* People. That an administrator is left is looked at in the transaction that would take the last one away. */
#include "api-server/base/clock.h"
#include "api-server/metadata/accounts.h"
#include "api-server/metadata/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define USER_COLUMNS "id, email, name, password, role, disabled, version, quota_bytes, created_us, number"

/* Letters beyond ASCII are compared as they are. */
static void email_key(const char *email, char ret_key[MR_EMAIL_SIZE])
{
    size_t i = 0;
    for (; email[i] && i + 1 < MR_EMAIL_SIZE; i++)
        ret_key[i] = (char)((unsigned char)email[i] < 0x80 ? tolower((unsigned char)email[i]) : email[i]);
    ret_key[i] = '\0';
}

int64_t mr_user_bytes(mr_sql_link *link, const char *user)
{
    return mr_sql_count(link, "SELECT COALESCE(SUM(size), 0) FROM videos WHERE owner = ?1", "t", user);
}

static void read_user(const mr_sql_rows *rows, mr_user *user)
{
    *user = (mr_user){.role = (mr_role)mr_sql_int(rows, 4),
                      .disabled = mr_sql_int(rows, 5) != 0,
                      .version = mr_sql_int(rows, 6),
                      .quota_bytes = mr_sql_int(rows, 7),
                      .created_us = mr_sql_int(rows, 8)};
    mr_sql_copy(rows, 0, user->id, sizeof(user->id));
    mr_sql_copy(rows, 1, user->email, sizeof(user->email));
    mr_sql_copy(rows, 2, user->name, sizeof(user->name));
    mr_sql_copy(rows, 3, user->password, sizeof(user->password));
}

/* ---- changes ---- */

typedef struct user_change {
    const mr_user *user;
    int64_t was; /* its version */
    const char *id;
    bool only_first;
} user_change;

static mr_status fine_if_nothing(mr_status status)
{
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status admin_is_left(mr_sql_link *link)
{
    const int64_t left = mr_sql_count(link, "SELECT COUNT(*) FROM users WHERE role = ?1 AND disabled = 0", "i", (int64_t)MR_ROLE_ADMIN);
    return left > 0 ? MR_OK : left == 0 ? MR_ERR_LIMIT : MR_ERR_IO;
}

static mr_status add_user(mr_sql_link *link, void *context)
{
    const user_change *it = context;
    const mr_user *user = it->user;
    char key[MR_EMAIL_SIZE];
    email_key(user->email, key);
    if (it->only_first && mr_sql_count(link, "SELECT COUNT(*) FROM users", "") != 0)
        return MR_ERR_CONFLICT;
    return mr_sql_do(link,
                     "INSERT INTO users (id, email, email_key, name, password, role, disabled, version, quota_bytes, created_us)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                     "tttttiiiii", user->id, user->email, key, user->name, user->password, (int64_t)user->role, (int64_t)user->disabled,
                     user->version, user->quota_bytes, user->created_us);
}

mr_status mr_user_add(mr_metadata *metadata, const mr_user *user, bool only_first)
{
    user_change it = {.user = user, .only_first = only_first};
    return mr_sql_write(metadata->sql, add_user, &it);
}

static mr_status update_user(mr_sql_link *link, void *context)
{
    const user_change *it = context;
    const mr_user *user = it->user;
    char key[MR_EMAIL_SIZE];
    email_key(user->email, key);
    const int64_t version = mr_sql_count(link, "SELECT version FROM users WHERE id = ?1", "t", user->id);
    if (version != it->was)
        return version < 0 ? MR_ERR_NOT_FOUND : MR_ERR_UNAVAILABLE;
    const int64_t was = mr_sql_count(link, "SELECT role = ?2 AND disabled = 0 FROM users WHERE id = ?1", "ti", user->id, (int64_t)MR_ROLE_ADMIN);
    mr_status status = mr_sql_do(link,
                                 "UPDATE users SET email = ?2, email_key = ?3, name = ?4, password = ?5, role = ?6, disabled = ?7, version = ?8,"
                                 " quota_bytes = ?9 WHERE id = ?1",
                                 "tttttiiii", user->id, user->email, key, user->name, user->password, (int64_t)user->role, (int64_t)user->disabled,
                                 user->version, user->quota_bytes);
    if (status == MR_OK && user->version != it->was)
        status = fine_if_nothing(mr_sql_do(link, "UPDATE families SET revoked = 1 WHERE user_id = ?1 AND revoked = 0", "t", user->id));
    return status == MR_OK && was == 1 ? admin_is_left(link) : status;
}

mr_status mr_user_update(mr_metadata *metadata, const mr_user *user, int64_t was)
{
    user_change it = {.user = user, .was = was};
    mr_status status = mr_sql_write(metadata->sql, update_user, &it);
    if (status == MR_OK)
        mr_videos_all_changed(metadata); /* they show his name */
    return status;
}

static mr_status remove_user(mr_sql_link *link, void *context)
{
    const user_change *it = context;
    const int64_t was = mr_sql_count(link, "SELECT role = ?2 AND disabled = 0 FROM users WHERE id = ?1", "ti", it->id, (int64_t)MR_ROLE_ADMIN);
    mr_status status = mr_uploads_are_rubbish(link, it->id);
    if (status == MR_OK)
        status = mr_sql_do(link, "DELETE FROM users WHERE id = ?1", "t", it->id); /* his videos hold him */
    return status == MR_OK && was == 1 ? admin_is_left(link) : status;
}

mr_status mr_user_remove(mr_metadata *metadata, const char *id)
{
    user_change it = {.id = id};
    return mr_sql_write(metadata->sql, remove_user, &it);
}

/* ---- reading ---- */

static mr_status find_user(mr_metadata *metadata, const char *text, const char *by, mr_user *ret_user)
{
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    mr_sql_rows rows = mr_sql_ask(link, text, "t", by);
    const bool found = mr_sql_next(&rows);
    if (found)
        read_user(&rows, ret_user);
    mr_status status = mr_sql_end(&rows);
    if (status != MR_OK || !found)
        return status != MR_OK ? status : MR_ERR_NOT_FOUND;
    ret_user->used_bytes = mr_user_bytes(link, ret_user->id);
    return ret_user->used_bytes >= 0 ? MR_OK : MR_ERR_IO;
}

mr_status mr_user_find(mr_metadata *metadata, const char *id, mr_user *ret_user)
{
    return find_user(metadata, "SELECT " USER_COLUMNS " FROM users WHERE id = ?1", id, ret_user);
}

mr_status mr_user_find_email(mr_metadata *metadata, const char *email, mr_user *ret_user)
{
    char key[MR_EMAIL_SIZE];
    if (strlen(email) >= sizeof(key))
        return MR_ERR_NOT_FOUND;
    email_key(email, key);
    return find_user(metadata, "SELECT " USER_COLUMNS " FROM users WHERE email_key = ?1", key, ret_user);
}

int64_t mr_user_count(mr_metadata *metadata)
{
    return mr_sql_count(mr_sql_reader(metadata->sql), "SELECT COUNT(*) FROM users", "");
}

mr_status mr_user_list(mr_metadata *metadata, const char *cursor, size_t limit, mr_user *ret_users, size_t *ret_count,
                       char ret_next[static MR_CURSOR_SIZE])
{
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    char *end = NULL;
    const long long after = cursor ? strtoll(cursor, &end, 10) : 0;
    int64_t last = 0;
    bool more = false;
    *ret_count = 0;
    ret_next[0] = '\0';
    if (cursor && (end == cursor || *end || after < 0))
        return MR_ERR_PARAM;
    mr_sql_rows rows =
        mr_sql_ask(link, "SELECT " USER_COLUMNS " FROM users WHERE number > ?1 ORDER BY number LIMIT ?2", "ii", (int64_t)after, (int64_t)limit + 1);
    while (mr_sql_next(&rows)) {
        more = *ret_count == limit;
        if (more)
            break;
        read_user(&rows, &ret_users[(*ret_count)++]);
        last = mr_sql_int(&rows, 9);
    }
    mr_status status = mr_sql_end(&rows);
    for (size_t i = 0; i < *ret_count && status == MR_OK; i++) {
        ret_users[i].used_bytes = mr_user_bytes(link, ret_users[i].id);
        status = ret_users[i].used_bytes >= 0 ? MR_OK : MR_ERR_IO;
    }
    if (more)
        snprintf(ret_next, MR_CURSOR_SIZE, "%lld", (long long)last);
    return status;
}
