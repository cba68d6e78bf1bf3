/* SPDX-License-Identifier: MIT */
/* A batch from the taking of a host for it to what became of that host. */
#include "runtime/hosts/serve.h"

#include <stdio.h>

void mr_host_run_batch(mr_hosts *hosts, const mr_settings *settings, mr_task *const *tasks, const uint32_t *slots, uint32_t count,
                       mr_host_outcome *ret_outcome)
{
    char how[256];
    mr_diags *diags = mr_diags_new();
    *ret_outcome = (mr_host_outcome){0};
    mr_task_host *host = diags ? mr_hosts_take(hosts, diags) : NULL;
    if (!host) {
        const mr_diag *diag = diags ? mr_diags_first(diags) : NULL;
        mr_host_table.report(tasks[0], MR_SEVERITY_ERROR, NULL, diag ? diag->hint : NULL, "%s", diag ? diag->message : "memory ran out");
        ret_outcome->status = MR_ERR_INTERNAL;
        mr_diags_free(diags);
        return;
    }
    mr_diags_free(diags);
    const bool good = mr_host_serve(host, settings, tasks, slots, count, ret_outcome);
    if (!good && !ret_outcome->why[0]) {
        mr_host_autopsy(host, settings, how, sizeof(how));
        ret_outcome->stuck = host->stuck;
        snprintf(ret_outcome->why, sizeof(ret_outcome->why), "%s", how);
    }
    if (!good) /* one that is to be ended is not waited for: it may be anything but about to die */
        mr_host_last_words(host, ret_outcome->words, sizeof(ret_outcome->words));
    mr_hosts_give(hosts, host, good, count);
}
