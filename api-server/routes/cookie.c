/* SPDX-License-Identifier: MIT */
#include "api-server/routes/cookie.h"

#include <string.h>

bool mr_cookie_find(const char *field, const char *name, char *ret_value, size_t size)
{
    const size_t name_len = strlen(name);
    for (const char *at = field; at && *at;) {
        at += strspn(at, "; \t");
        const size_t len = strcspn(at, ";");
        if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            const char *value = at + name_len + 1;
            size_t value_len = len - name_len - 1;
            while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
                value_len--;
            if (value_len == 0 || value_len >= size)
                return false;
            memcpy(ret_value, value, value_len);
            ret_value[value_len] = '\0';
            return true;
        }
        at += len;
    }
    return false;
}
