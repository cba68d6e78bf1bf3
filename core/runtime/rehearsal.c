/* SPDX-License-Identifier: MIT */
/*
 * Rehearsals: runs that work ahead of a source that still arrives, for their results alone. docs/adr/0029 says why.
 *
 * Nodes that read the source as a whole are shown what has come of it as if that were all (a source of its own, without a key: nothing of what they
 * say is kept). Tasks of one chunk read the source that will be, under the identity that they will have in the run for the whole: where the plan for
 * the beginning has a chunk that the plan for the whole has, too, its result is there by then. A task that asks for bytes that have not come is left
 * for that run. Nothing else is done: no node that acts on the world, and none that describes the whole.
 */
#include "runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define LAST_OF_ALL 2.0 /* behind any position of a task of another run */

static bool has_trigger_or_effect(const mr_node_run *node)
{
    return node->node->trigger != MR_TRIGGER_NONE || node->streaming || (node->node->op->flags & MR_OP_EFFECT);
}

static bool reads_inputs_only(const mr_bound_port *port)
{
    for (size_t s = 0; s < port->binding->source_count; s++) {
        if (port->binding->sources[s].kind != MR_SOURCE_INPUT)
            return false;
    }
    return port->binding->source_count > 0;
}

/* One task for each chunk, and beside what it goes through item by item it reads the source alone: nothing that describes the whole. */
static bool is_of_chunks(const mr_node_run *node)
{
    bool chunks = false;
    bool source = false;
    if (has_trigger_or_effect(node))
        return false;
    for (uint32_t b = 0; b < node->node->binding_count; b++) {
        const mr_bound_port *port = &node->ports[b];
        if (b < node->crossed)
            chunks = chunks || node->node->op->inputs[port->binding->port].types == MR_TYPE_CHUNK;
        else if (!reads_inputs_only(port))
            return false;
        else
            source = true;
    }
    return chunks && source;
}

static bool feeds_kept(const mr_node_run *node)
{
    for (uint32_t p = 0; p < node->output_count; p++) {
        for (size_t r = 0; r < node->outputs[p].reader_count; r++) {
            if (!node->outputs[p].readers[r]->left_out)
                return true;
        }
    }
    return false;
}

/* What has come of it, as a source of its own. */
static mr_status cut(mr_run *run, mr_item *item)
{
    const uint64_t have = mr_item_have(item);
    mr_item *beginning = have > 0 ? mr_item_new(run, item->pub.type, NULL) : NULL;
    if (!beginning)
        return have > 0 ? MR_ERR_NOMEM : MR_ERR_CONFLICT;
    beginning->fd = fcntl(item->fd, F_DUPFD_CLOEXEC, 0);
    beginning->name = strdup(item->name);
    if (beginning->fd < 0 || !beginning->name)
        return beginning->fd < 0 ? MR_ERR_IO : MR_ERR_NOMEM;
    beginning->pub.name = beginning->name;
    beginning->pub.size = have;
    beginning->pub.has_content = 1;
    beginning->pub.digest = "";
    item->beginning = beginning;
    return MR_OK;
}

static mr_status cut_inputs(mr_run *run, size_t *ret_count)
{
    mr_status status = MR_OK;
    *ret_count = 0;
    for (size_t i = 0; i < run->bound->pipeline->input_count; i++) {
        for (size_t k = 0; k < run->inputs[i].count && status == MR_OK; k++) {
            mr_item *item = run->inputs[i].slots[k]->item;
            if (!item->growth)
                continue;
            status = cut(run, item);
            (*ret_count)++;
        }
    }
    return status;
}

mr_status mr_rehearsal_prepare(mr_run *run, mr_diags *diags)
{
    bool some = false;
    bool possible = true;
    size_t arriving = 0;
    mr_status status = cut_inputs(run, &arriving);
    for (size_t i = run->node_count; i-- > 0 && status == MR_OK;) {
        mr_node_run *node = &run->nodes[run->bound->pipeline->order[i]];
        const bool chunks = is_of_chunks(node);
        node->left_out = !chunks && !feeds_kept(node);
        node->sees_beginning = !chunks;
        some = some || chunks;
        possible = possible && (node->left_out || !has_trigger_or_effect(node));
    }
    if (status == MR_OK && some && possible && arriving > 0)
        return MR_OK;
    if (status == MR_OK)
        mr_error(diags, "rehearsal", (mr_span){0}, "%s", arriving > 0 ? "nothing of the pipeline can be done ahead" : "no input is arriving");
    return status == MR_OK ? MR_ERR_UNSUPPORTED : status;
}

mr_item *mr_rehearsal_item(const mr_node_run *node, mr_item *item)
{
    return node->sees_beginning && item->beginning ? item->beginning : item;
}

double mr_rehearsal_position(const mr_run *run, double position)
{
    return run->rehearsal ? position + LAST_OF_ALL : position;
}
