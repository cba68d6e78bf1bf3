/* SPDX-License-Identifier: MIT */
/*
 * From a request to the route that answers it. A route is a row of the one table (table.c): what it is called, who may use it, where it may block.
 * Nothing is done for a caller whom the row does not let in.
 *
 * Life of a call: matched and let in when the head is here -> (begin) -> (body*) -> answer -> (ended). Routes without body() get theirs whole, at
 * most body_max bytes, and as JSON when they ask for it.
 */
#ifndef MR_ROUTES_ROUTER_H
#define MR_ROUTES_ROUTER_H

#include "api-server/auth/identity.h"
#include "api-server/base/id.h"
#include "api-server/limits/limits.h"
#include "api-server/server.h"

#include <jansson.h>

enum {
    MR_ROUTE_IDS = 3,          /* {…} in a path */
    MR_JSON_MAX = 1024 * 1024, /* bytes of a body that is JSON */
};

typedef struct mr_route mr_route;

typedef struct mr_call {
    mr_server *server;
    mr_exchange *exchange;
    const mr_route *route;
    mr_identity who;               /* nobody: who.user is "" */
    char client[MR_ADDRESS_SIZE];  /* the address of whoever asks, behind trusted proxies */
    const char *ids[MR_ROUTE_IDS]; /* what stands where the route has {…}; of "{…*}" the rest of the path */
    json_t *json;                  /* the body, where the route takes JSON */
    const void *body;              /* the body, where it takes another kind and keeps it */
    size_t body_len;
    const char *request_id;
    void *state;                 /* the handler's; freed in ended() */
    struct mr_call_parts *parts; /* the router's */
} mr_call;

typedef enum mr_route_body {
    MR_BODY_NONE,   /* refused */
    MR_BODY_JSON,   /* call->json; an object */
    MR_BODY_KEPT,   /* call->body */
    MR_BODY_PIECES, /* body() */
} mr_route_body;

struct mr_route {
    const char *method;
    const char *path; /* "/api/v1/videos/{id}"; "/media/{token}/{id}/{path*}" */
    mr_rule rule;     /* api-server/auth/identity.h */
    uint32_t scopes;  /* what an API key needs; 0: keys can't be used */
    mr_lane lane;
    mr_route_body takes;
    uint64_t body_max; /* 0: MR_JSON_MAX for JSON; for pieces: no bound here */
    void (*answer)(mr_call *call);
    void (*begin)(mr_call *call, uint64_t *ret_body_max); /* NULL: nothing to do. May answer */
    mr_status (*body)(mr_call *call, const void *data, size_t len);
    void (*ended)(mr_call *call);
    mr_limit_kind limit; /* how often one may ask; default: as of the whole API */
    bool asks_itself;    /* Authorization is left to the route: a bad token there is no reason to refuse */
    const char *hooked;  /* a hook that it asks: where there is one, the call goes to the slow lane. NULL: none */
    bool quiet;          /* not in the access log: asked every few seconds by machines */
};

extern const mr_route mr_route_table[]; /* ends with {0} */

mr_http_handler mr_router_handler(mr_server *server);

/* ---- answers ---- */

/* Takes json; NULL: 500. */
void mr_call_json(mr_call *call, int status, json_t *take_json);
void mr_call_text(mr_call *call, int status, const char *type, const char *text, size_t len);
/* A field of the answer whose value is a number. */
void mr_call_number_field(mr_call *call, const char *name, int64_t number);
void mr_call_empty(mr_call *call, int status);
/* RFC 9457. code: stable, kebab case; it becomes urn:millrace:problem:CODE. */
void mr_call_problem(mr_call *call, int status, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same with errors: [{field, message}]. Takes errors. */
void mr_call_invalid(mr_call *call, json_t *take_errors);
/* 404, 409, 503 … for what a part of the server returned. */
void mr_call_status(mr_call *call, mr_status status, const char *what);

/* ---- the request ---- */

/* An id for what the call makes. With an Idempotency-Key it is the same each time the request is sent: whoever finds that there is one with it
 * already (MR_ERR_CONFLICT) has made it himself, and died before he answered. */
bool mr_call_make_id(mr_call *call, char letter, char ret_id[MR_ID_SIZE]);

/* Takes one from a bucket, and tells the client by RateLimit-* how it stands. False: that was too often, and answered. */
bool mr_call_take(mr_call *call, mr_limit_kind kind, const char *whose);

/* The value of a query parameter, decoded, in the call's memory until ended. NULL: absent. */
const char *mr_call_query(mr_call *call, const char *name);
/* limit and the like: false, and answered, when it is not a whole number in [least, most]. */
bool mr_call_query_number(mr_call *call, const char *name, int64_t least, int64_t most, int64_t standard, int64_t *ret);
/* https://videos.example.org, as the client sees the server; in the call's memory. */
const char *mr_call_origin(mr_call *call);

#endif
