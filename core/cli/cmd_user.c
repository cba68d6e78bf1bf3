/* SPDX-License-Identifier: MIT */
/* millrace user: accounts of the server, whether it runs or not. What is asked is done by the server's plugin. */
#include "cli/serve/platform.h"
#include "cli/serve/serving.h"

#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_ROLE = 0x2100, KEY_NAME, KEY_PASSWORD_STDIN, PASSWORD_MAX = 1026 };

typedef struct user_options {
    mr_serving serving;
    const struct action *action;
    const char *email, *role, *name;
    bool password_stdin;
} user_options;

static const struct action {
    const char *name;
    bool email, role, password; /* what it takes */
} actions[] = {
    {"add", true, true, true},      {"list", false, false, false},   {"role", true, true, false},    {"disable", true, false, false},
    {"enable", true, false, false}, {"password", true, false, true}, {"remove", true, false, false},
};

static const struct argp_option options[] = {
    {"role", KEY_ROLE, "viewer|creator|admin", 0, "The role that the user has (add: default viewer)", 0},
    {"name", KEY_NAME, "NAME", 0, "How the user is called (add)", 0},
    {"password-stdin", KEY_PASSWORD_STDIN, NULL, 0, "Read the password from standard input (add, password; default: ask for it at the terminal)", 0},
    MR_SERVING_OPTIONS,
    {0},
};

static const struct action *find_action(const char *name, struct argp_state *state)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    argp_error(state, "unknown action '%s'; there are add, list, role, disable, enable, password and remove", name);
    return NULL;
}

static void check(const user_options *from, struct argp_state *state)
{
    const struct action *action = from->action;
    if (!action)
        argp_error(state, "what is to be done? add, list, role, disable, enable, password or remove");
    else if (action->email && !from->email)
        argp_error(state, "whose account? say the address: 'millrace user %s EMAIL'", action->name);
    else if (!action->role && from->role)
        argp_error(state, "'%s' takes no --role", action->name);
    else if (strcmp(action->name, "role") == 0 && !from->role)
        argp_error(state, "which role? say --role viewer, creator or admin");
    else if (!action->password && from->password_stdin)
        argp_error(state, "'%s' takes no password", action->name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    user_options *to = state->input;
    switch (key) {
    case KEY_ROLE: to->role = arg; return 0;
    case KEY_NAME: to->name = arg; return 0;
    case KEY_PASSWORD_STDIN: to->password_stdin = true; return 0;
    case ARGP_KEY_ARG:
        if (!to->action)
            to->action = find_action(arg, state);
        else if (!to->email && to->action->email)
            to->email = arg;
        else
            mr_verb_unexpected(state, arg);
        return 0;
    case ARGP_KEY_END: check(to, state); return 0;
    default: return mr_serving_parse(&to->serving, key, arg, state);
    }
}

/* ---- the password ---- */

static bool read_line(FILE *from, char line[PASSWORD_MAX])
{
    if (!fgets(line, PASSWORD_MAX, from))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* At the terminal, without showing it, twice. */
static bool ask_password(char password[PASSWORD_MAX])
{
    struct termios shown;
    struct termios hidden;
    char again[PASSWORD_MAX] = "";
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0) {
        mr_complain("there is no terminal to ask for the password at; say --password-stdin");
        return false;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fputs("Password: ", stderr);
    bool got = read_line(stdin, password);
    fputs("\nAgain: ", stderr);
    got = got && read_line(stdin, again);
    fputc('\n', stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    const bool same = got && strcmp(password, again) == 0;
    if (!same)
        mr_complain(got ? "the two are not the same" : "no password was given");
    explicit_bzero(again, sizeof(again));
    return same;
}

static bool get_password(const user_options *from, char password[PASSWORD_MAX])
{
    if (!from->password_stdin)
        return ask_password(password);
    if (read_line(stdin, password))
        return true;
    mr_complain("there is no password on standard input");
    return false;
}

/* ---- asking the server's plugin ---- */

/* Names are what people wrote: no line of theirs moves the cursor. */
static void put_lines(char *text)
{
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line && (rest || *line); line = strsep(&rest, "\n")) {
        mr_put_words(stdout, line);
        putchar('\n');
    }
}

static int administer(user_options *from, mr_platform *platform, const char *password)
{
    const mr_serving *serving = &from->serving;
    mr_server_error error = {.size = sizeof(error)};
    mr_autofree char *answer = NULL;
    char deed[32];
    snprintf(deed, sizeof(deed), "user.%s", from->action->name);
    mr_autojson json_t *request = json_pack("{s:s, s:s*, s:s*, s:s*}", "do", deed, "email", from->email, "role", from->role, "name", from->name);
    mr_autofree char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    if (!text) {
        mr_complain("out of memory, or words that are not UTF-8");
        return MR_EXIT_USAGE;
    }
    mr_status status = serving->driver->administer(&platform->host, serving->values, text, password, &answer, &error);
    if (status != MR_OK) {
        mr_serving_complain(&error);
        return status == MR_ERR_PARAM ? MR_EXIT_USAGE : MR_EXIT_FAILED;
    }
    if (answer)
        put_lines(answer);
    return fflush(stdout) == 0 ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int open_and_administer(user_options *from)
{
    mr_platform platform = {0};
    char password[PASSWORD_MAX] = "";
    int code = mr_serving_open(&from->serving);
    if (code == MR_EXIT_DONE && from->action->password && !get_password(from, password))
        code = MR_EXIT_USAGE;
    if (code == MR_EXIT_DONE)
        code = mr_serving_make_data(&from->serving);
    if (code == MR_EXIT_DONE) {
        code = MR_EXIT_FAILED;
        if (mr_platform_open_bare(&platform, &from->serving.session, from->serving.data_dir))
            code = administer(from, &platform, from->action->password ? password : NULL);
        mr_platform_close(&platform);
    }
    explicit_bzero(password, sizeof(password));
    return code;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    user_options parsed = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = open_and_administer(&parsed);
    mr_serving_close(&parsed.serving);
    return code;
}

const mr_verb mr_verb_user = {
    .name = "user",
    .usage = "add|list|role|disable|enable|password|remove [EMAIL]",
    .summary = "makes and changes the accounts of the server",
    .help =
        "It works on the data folder of 'millrace serve', which may run meanwhile: what changes holds for its next request. The first administrator "
        "of a fresh folder is made so, or on the page by whoever sits at the machine.\n\n"
        "A change of role or password, and disabling, end all sign-ins of the user; API keys stay, but a disabled user's are refused. An account "
        "with videos can't be removed, and the last administrator stays one.\n\n"
        "Exit codes: 0 done, 1 there is no such user, or the machine refused, 2 wrong usage, or a password that is too short.",
    .examples = "    millrace user add ada@example.org --role admin\n"
                "    millrace user add bot@example.org --role creator --password-stdin < password.txt\n"
                "    millrace user list\n"
                "    millrace user role ada@example.org --role creator",
    .args = MR_ARGS_USER,
    .options = options,
    .run = run,
};
