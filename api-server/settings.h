/* SPDX-License-Identifier: MIT */
/* What an operator may set of the server: the struct that the table in settings.c fills. Durations in microseconds, sizes in bytes. */
#ifndef MR_SERVER_SETTINGS_H
#define MR_SERVER_SETTINGS_H

#include <millrace/param.h>

typedef enum mr_registration { MR_REGISTRATION_CLOSED, MR_REGISTRATION_OPEN } mr_registration;

typedef enum mr_registered { MR_REGISTERED_VIEWER, MR_REGISTERED_CREATOR } mr_registered;

typedef struct mr_server_settings {
    const char *listen;
    const char *public_url;      /* as browsers see the server; NULL: by what they ask for */
    const char *name;            /* of the site */
    int32_t registration;        /* mr_registration */
    int32_t registration_role;   /* mr_registered */
    const char *trusted_proxies; /* addresses and networks; NULL: none */
    int64_t rate_api;            /* requests a minute; 0: no limit */
    int64_t rate_sign_in;
    const char *pipeline; /* that uploads go through */
    int64_t runs;         /* videos that are processed at a time */
    int64_t upload_max;   /* bytes of one upload */
    int64_t keep_free;    /* bytes of the disk that uploads leave free */
    int64_t early_runs;   /* for uploads that go on, at a time; 0: none */
    bool access_log;      /* a line for each request */
    int64_t url_life;     /* us that signed URLs of playback are good for */
    int64_t head_timeout; /* api-server/http's limits */
    int64_t stall_timeout;
    int64_t idle_timeout;
    int64_t drain; /* that answers under way may take when the server stops */
} mr_server_settings;

extern const mr_param mr_server_setting_table[]; /* ends with MR_PARAM_END */

#endif
