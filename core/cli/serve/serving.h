/* SPDX-License-Identifier: MIT */
/* What `serve` and `user` share: which server, which folder, which settings. */
#ifndef MR_CLI_SERVE_SERVING_H
#define MR_CLI_SERVE_SERVING_H

#include "cli/configure.h"
#include "cli/job.h"
#include <millrace/server.h>

typedef struct mr_serving {
    mr_configure configure;
    const char *data; /* --data; NULL: the default */

    /* After mr_serving_open(): */
    mr_session session;
    mr_loaded_settings settings;
    const mr_server_driver *driver;
    void *values;         /* of the driver's settings */
    const char *data_dir; /* absolute */
    int lock;             /* on it, while it is served; 0: none */
} mr_serving;

enum { MR_KEY_DATA = 0x1400 };

/* clang-format off */
#define MR_SERVING_OPTIONS                                                                                                                     \
    MR_CONFIGURE_OPTIONS,                                                                                                                      \
    {"data", MR_KEY_DATA, "DIR", 0, "Keep everything in DIR (default: $XDG_DATA_HOME/millrace or ~/.local/share/millrace)", 0}
/* clang-format on */

error_t mr_serving_parse(mr_serving *serving, int key, char *arg, struct argp_state *state); /* ARGP_ERR_UNKNOWN: not one of these */
/* As --set NAME=VALUE at the end of the command line. Once for each word on it. */
void mr_serving_set(mr_serving *serving, const char *name, const char *value);
/* Loads the plugins and the settings. An exit code; what is wrong is said. */
int mr_serving_open(mr_serving *serving);
int mr_serving_make_data(mr_serving *serving); /* makes the folder where it is missing. An exit code */
int mr_serving_lock(mr_serving *serving);      /* until mr_serving_close(): two servers of one folder would undo each other's work. An exit code */
int mr_serving_print(mr_serving *serving);     /* the settings that hold. An exit code */
void mr_serving_complain(const mr_server_error *error);
void mr_serving_close(mr_serving *serving);

#endif
