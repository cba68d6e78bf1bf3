/* SPDX-License-Identifier: MIT */
/* The page of the settings, from their table. */
#include "cli/doc.h"
#include "runtime/settings.h"

#include <string.h>

static const char about[] =
    "Settings are what the operator of a machine decides, whatever pipeline runs. They are read from one YAML file: the one that --config names, "
    "else "
    "$XDG_CONFIG_HOME/millrace/config.yaml or ~/.config/millrace/config.yaml, else /etc/millrace/config.yaml. --set NAME=VALUE replaces a single "
    "one. Without a file, the defaults hold; 'millrace settings' prints what holds, and where it comes from.\n\n"
    "A name with a dot is written below its group. A setting that is not known is an error, so that a misspelt one is not passed over.";

static const char example[] = "    # /etc/millrace/config.yaml\n"
                              "    sandbox: require\n"
                              "    host:\n"
                              "      memory: 8GiB\n"
                              "    limits:\n"
                              "      picture_pixels: 35389440\n"
                              "      duration: 4h";

void mr_doc_settings(const mr_doc *doc, mr_arena *arena)
{
    mr_doc_title(doc, doc->format == MR_DOC_MAN ? "millrace-config" : "Settings", 5, "what the operator of millrace may set");
    if (doc->format == MR_DOC_MAN)
        mr_doc_heading(doc, "Description");
    mr_doc_text(doc, about);
    mr_doc_code(doc, example);
    for (const mr_setting_group *group = mr_setting_groups; group->name; group++) {
        mr_param rows[MR_SETTINGS_MAX];
        char prefix[64];
        mr_setting_group_rows(group, rows);
        snprintf(prefix, sizeof(prefix), "%s%s", group->name, *group->name ? "." : "");
        mr_doc_heading(doc, *group->name ? group->name : "General");
        if (*group->name)
            mr_doc_text(doc, mr_arena_printf(arena, "%s.", group->help));
        mr_doc_params(doc, rows, prefix, 0, arena);
    }
    if (doc->format != MR_DOC_MAN)
        return;
    mr_doc_heading(doc, "See also");
    mr_doc_text(doc, "millrace-settings(1), millrace(1)");
}
