/* SPDX-License-Identifier: MIT */
/* The settings of the server: the group "server" of the file of settings. */
#include "api-server/settings.h"

static const char *const registrations[] = {"closed", "open", NULL};

static const char *const registered[] = {"viewer", "creator", NULL};

const mr_param mr_server_setting_table[] = {
    MR_TEXT(mr_server_settings, listen, .standard = "localhost:8080", .max = "256",
            .help = "where the server answers, as ADDR:PORT; *:8080 is every address of the machine"),
    MR_URL(mr_server_settings, public_url,
           .help = "how browsers see the server when a proxy stands before it, as https://videos.example.org; absent: by what they ask for"),
    MR_TEXT(mr_server_settings, name, .standard = "Millrace", .max = "128", .help = "of the site, on its pages"),
    MR_CHOICE(mr_server_settings, registration, .choices = registrations, .standard = "closed",
              .help = "who may make an account: closed: an administrator makes them; open: anyone"),
    MR_CHOICE(mr_server_settings, registration_role, .choices = registered, .standard = "viewer",
              .help = "of those who make their own account: viewer: may watch; creator: may upload, too"),
    MR_TEXT(mr_server_settings, trusted_proxies, .max = "2048",
            .help = "addresses and networks of proxies whose X-Forwarded-For is believed, as '127.0.0.1, 10.0.0.0/8'; absent: none"),
    MR_INT(mr_server_settings, rate_api, .standard = "6000", .min = "0", .max = "10000000",
           .help = "requests a minute of one user, or of one address that nobody is signed in at; 0: no limit"),
    MR_INT(mr_server_settings, rate_sign_in, .standard = "20", .min = "0", .max = "10000000",
           .help = "passwords a minute that are tried from one address, and for one account five times as many; 0: no limit"),
    MR_TEXT(mr_server_settings, pipeline, .standard = "vod", .max = "64", .help = "that uploads go through where nobody names another"),
    MR_INT(mr_server_settings, runs, .standard = "16", .min = "1", .max = "100",
           .help = "videos that are processed at a time; others wait in the order in which they were created"),
    MR_SIZE(mr_server_settings, upload_max, .standard = "64GiB", .min = "1MiB", .max = "16TiB", .help = "bytes of one upload"),
    MR_SIZE(mr_server_settings, keep_free, .standard = "64MiB", .min = "0", .max = "16TiB",
            .help = "bytes of the disk that uploads leave free for all else; with less, /readyz says so"),
    MR_INT(mr_server_settings, early_runs, .standard = "4", .min = "0", .max = "1000",
           .help = "uploads that are processed while they still arrive, at a time; others wait until they are complete; 0: all wait"),
    MR_BOOL(mr_server_settings, access_log, .standard = "true", .help = "a line in the log for each request"),
    MR_DURATION(mr_server_settings, url_life, .standard = "1h", .min = "3s", .max = "168h",
                .help = "how long the addresses of segments are good for at least; players get new ones in time"),
    MR_DURATION(mr_server_settings, head_timeout, .standard = "10s", .min = "1s", .max = "10m",
                .help = "how long the head of a request may take from its first byte to its last, whatever comes between"),
    MR_DURATION(mr_server_settings, stall_timeout, .standard = "20s", .min = "1s", .max = "1h",
                .help = "in which at least 10 KiB of a body or of an answer must move"),
    MR_DURATION(mr_server_settings, idle_timeout, .standard = "75s", .min = "1s", .max = "1h",
                .help = "how long a connection may rest between two requests"),
    MR_DURATION(mr_server_settings, drain, .standard = "10s", .min = "0s", .max = "10m",
                .help = "how long answers that are under way may take when the server is told to stop"),
    MR_PARAM_END,
};
