/* SPDX-License-Identifier: MIT */
/* millrace serve: the server, with the engine behind it, until it is told to stop. */
#include "cli/configure.h"
#include "cli/serve/platform.h"
#include "cli/serve/serving.h"

#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEY_LISTEN = 0x2000, KEY_PRINT, JOBS_MAX = 1024 };

typedef struct serve_options {
    mr_serving serving;
    const char *listen;
    uint32_t jobs;
    bool print;
} serve_options;

static const struct argp_option options[] = {
    {"listen", KEY_LISTEN, "ADDR:PORT", 0, "Answer there (setting server.listen; default: localhost:8080)", 0},
    MR_SERVING_OPTIONS,
    {"jobs", 'j', "N", 0, "Use N CPU slots for runs (default: as many as this process may use)", 0},
    {"print-config", KEY_PRINT, NULL, 0, "Print the settings that hold, as a file of settings, and end", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    serve_options *to = state->input;
    switch (key) {
    case KEY_LISTEN: to->listen = arg; return 0;
    case KEY_PRINT: to->print = true; return 0;
    case 'j': to->jobs = mr_job_number(state, "--jobs", arg, 1, JOBS_MAX); return 0;
    case ARGP_KEY_ARG: mr_verb_unexpected(state, arg); return 0;
    default: return mr_serving_parse(&to->serving, key, arg, state);
    }
}

/* ---- signals, and who started us ---- */

/* Blocked before there are threads, which inherit that. A descriptor that tells of them. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
}

/* sd_notify(3) without its library: one datagram to the socket that NOTIFY_SOCKET names. */
static void notify(const char *words)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    mr_autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        sendto(fd, words, strlen(words), MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

static void wait_for_signal(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof(info)) < 0 && errno == EINTR)
        continue;
}

/* Each viewer's connection is an open file, and the usual bound is 1024: what a program may have without asking, not what it can have. */
static void allow_open_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files); /* where that isn't allowed, fewer come in at a time */
}

/* ---- serving ---- */

static int serve(serve_options *from, mr_platform *platform, int signals)
{
    mr_serving *serving = &from->serving;
    mr_server_error error = {.size = sizeof(error)};
    platform->driver = serving->driver;
    mr_status status = serving->driver->open(&platform->host, serving->values, &platform->server, &error);
    if (status != MR_OK) {
        mr_serving_complain(&error);
        return status == MR_ERR_PARAM ? MR_EXIT_USAGE : MR_EXIT_FAILED;
    }
    fprintf(stderr, "millrace: listening on %s\n", serving->driver->address(platform->server));
    notify("READY=1");
    wait_for_signal(signals);
    notify("STOPPING=1");
    fprintf(stderr, "millrace: stopping; what was acknowledged is kept, and runs go on at the next start\n");
    serving->driver->drain(platform->server);
    mr_platform_stop_runs(platform);
    serving->driver->close(platform->server);
    return MR_EXIT_DONE;
}

static int open_and_serve(serve_options *from)
{
    mr_platform platform = {0};
    int signals = block_signals();
    allow_open_files();
    int code = mr_serving_open(&from->serving);
    if (code == MR_EXIT_DONE && from->print)
        code = mr_serving_print(&from->serving);
    else if (code == MR_EXIT_DONE)
        code = mr_serving_make_data(&from->serving);
    if (code == MR_EXIT_DONE && !from->print)
        code = mr_serving_lock(&from->serving);
    if (code == MR_EXIT_DONE && !from->print) {
        const mr_serving *serving = &from->serving;
        code = MR_EXIT_FAILED;
        if (signals >= 0 && mr_platform_open(&platform, &from->serving.session, &serving->settings, serving->data_dir, from->jobs))
            code = serve(from, &platform, signals);
        mr_platform_close(&platform);
    }
    if (signals >= 0)
        close(signals);
    return code;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    serve_options parsed = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (parsed.listen)
        mr_serving_set(&parsed.serving, "server.listen", parsed.listen);
    int code = open_and_serve(&parsed);
    mr_serving_close(&parsed.serving);
    return code;
}

const mr_verb mr_verb_serve = {
    .name = "serve",
    .usage = "",
    .summary = "serves uploads, videos and the page over HTTP",
    .help =
        "Everything lies in one folder: the database, uploads, streams, and the state of runs. Nothing has to be configured; settings of the group "
        "'server' come from the file of settings, from MILLRACE_SERVER_NAME in the environment, and from --set, the later over the earlier.\n\n"
        "SIGTERM and Ctrl-C stop it: it takes nothing new, lets answers end, and stops runs, which go on at the next start. A service manager that "
        "waits for readiness is told (NOTIFY_SOCKET).\n\n"
        "Exit codes: 0 stopped as asked, 1 the machine refused (port, disk), 2 wrong usage or settings.",
    .examples = "    millrace serve\n"
                "    millrace serve --listen 0.0.0.0:8080 --data /srv/millrace\n"
                "    MILLRACE_SERVER_REGISTRATION=open millrace serve --print-config",
    .args = MR_ARGS_NONE,
    .options = options,
    .run = run,
};
