/* SPDX-License-Identifier: MIT */
/*
 * A small, strict HTTP/1.1 server (RFC 9110, 9112) on epoll. It moves bytes and guards itself; what they mean is its handler's business. TLS and
 * HTTP/2 come from a proxy in front.
 *
 * Threads: lanes
 *   A connection lives on one loop, a thread, at a time. New ones begin on a loop of the quick lane (one a core), whose handlers must not block.
 *   mr_http_begin may send an exchange to another lane, where blocking hurts only its like: MR_LANE_SLOW (password hashes, reports), MR_LANE_UPLOAD
 *   (bodies that go to disk). After its answer the connection goes back. All calls about one exchange come on the thread of its loop, one at a time;
 *   only mr_http_later's and mr_http_stream's functions may be called from any thread.
 *
 * Life of an exchange
 *   begin (the head has come) -> body* (if it takes pieces) -> answer -> ended. A reply may be given in begin, too: a body that was not asked for yet
 * is not read then. Between begin and ended, exchange->state is the handler's. ended comes exactly once, also when the connection breaks.
 *
 * Limits (each has its number below): what exceeds one is answered with the status that says so, as problem+json (RFC 9457), and the connection is
 * closed.
 */
#ifndef MR_HTTP_SERVER_H
#define MR_HTTP_SERVER_H

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_PROBLEM_TYPE     "urn:millrace:problem:" /* of problem+json; a code follows */
#define MR_HTTP_LATER_MS    60000                   /* that an answer may be put off */
#define MR_HTTP_STREAM_MAX  262144                  /* bytes of a stream that wait for a slow reader; more: it is cut off */
#define MR_HTTP_REPLY_MAX   4096                    /* bytes of the fields of an answer */
#define MR_HTTP_BODY_MAX    (16u << 20)             /* bytes of a body that is kept in memory, whatever the handler asks for */
#define MR_HTTP_CONNECTIONS 20000 /* at a time; and so many that a quarter of the files that the process may open are left, and 256 */

/* Zero: the number in brackets. */
typedef struct mr_http_limits {
    int64_t head_ms;       /* from the first byte of a head to its last, whatever comes between [10000] */
    int64_t idle_ms;       /* between two requests [75000] */
    int64_t window_ms;     /* over which the rate of a body or an answer is looked at [20000] */
    uint32_t window_bytes; /* that must move in it [10240] */
    int64_t linger_ms;     /* a refused body is drained that long, so that the client can read why [2000] */
} mr_http_limits;

typedef enum mr_lane { MR_LANE_QUICK, MR_LANE_SLOW, MR_LANE_UPLOAD, MR_LANES } mr_lane;

typedef struct mr_http_server mr_http_server;
typedef struct mr_exchange mr_exchange; /* one request and its answer */
typedef struct mr_later mr_later;       /* an answer that is put off, or goes on: a stream */

typedef struct mr_http_handler {
    void *context;
    /*
     * The head has come. *ret_lane: where it goes on (default: quick). *ret_body_max: bytes of a body that it takes (default 0: none; a longer one is
     * refused with 413). Answering here is fine: then nothing follows but ended.
     */
    void (*begin)(void *context, mr_exchange *exchange, mr_lane *ret_lane, uint64_t *ret_body_max);
    /* A piece of the body; NULL: bodies are kept in memory for answer. Not MR_OK: the handler has answered, the rest is drained. */
    mr_status (*body)(void *context, mr_exchange *exchange, const void *data, size_t len);
    /* All has come. It must reply, or call mr_http_later. Called again after mr_http_later_resume. */
    void (*answer)(void *context, mr_exchange *exchange);
    void (*ended)(void *context, mr_exchange *exchange); /* NULL: nothing to free */
    /* A request that begin never saw was refused, since it is not one, or came too slowly; its method may be known, its path is not. May be NULL. */
    void (*refused)(void *context, const mr_exchange *exchange, const char *why);
} mr_http_handler;

typedef struct mr_http_options {
    const char *listen;       /* "127.0.0.1:8080", "[::1]:8080", "*:8080"; port 0: any free one */
    unsigned lanes[MR_LANES]; /* loops of each; 0: as many as cores (quick), 2 (slow), 4 (upload) */
    mr_http_limits limits;
    mr_http_handler handler;
} mr_http_options;

/* On an error, why says what is wrong and what to do. MR_ERR_CONFLICT: the address is in use. */
mr_status mr_http_open(const mr_http_options *options, char *why, size_t why_size, mr_http_server **ret_server);
uint16_t mr_http_port(const mr_http_server *server);
/* No new connections; idle ones are closed, exchanges may end within grace_ms, then are cut. Blocks until all threads have ended. NULL is fine. */
void mr_http_close(mr_http_server *server, int64_t grace_ms);
size_t mr_http_connections(const mr_http_server *server); /* at the moment; any thread */

/* The request. Texts are valid until ended. */
const char *mr_http_method(const mr_exchange *exchange);                  /* "GET" */
const char *mr_http_path(const mr_exchange *exchange);                    /* decoded, without query; "*" for OPTIONS * */
const char *mr_http_target(const mr_exchange *exchange);                  /* as it came */
const char *mr_http_field(const mr_exchange *exchange, const char *name); /* NULL: absent. Of several, the first */
size_t mr_http_field_count(const mr_exchange *exchange);
void mr_http_field_at(const mr_exchange *exchange, size_t index, const char **ret_name, const char **ret_value);
int64_t mr_http_length(const mr_exchange *exchange);                    /* of the body; -1: chunked */
const void *mr_http_body(const mr_exchange *exchange, size_t *ret_len); /* in answer, of a handler without body() */
const char *mr_http_peer(const mr_exchange *exchange);                  /* the other end's address, as text */
const char *mr_http_request_id(const mr_exchange *exchange);            /* of this request alone, in each answer (X-Request-Id) and problem */
void mr_http_set_state(mr_exchange *exchange, void *state);
void *mr_http_state(const mr_exchange *exchange);

/*
 * The answer: fields first, then one of the reply functions. Date, Content-Length, Connection and X-Request-Id are added. For HEAD the same functions
 * are called; the content stays away. A field that holds a control character, or is too much, makes the answer a 500.
 */
void mr_http_reply_field(mr_exchange *exchange, const char *name, const char *value);
void mr_http_reply(mr_exchange *exchange, int status, const void *content, size_t len);                 /* copies */
void mr_http_reply_file(mr_exchange *exchange, int status, int take_fd, uint64_t offset, uint64_t len); /* by sendfile */
void mr_http_reply_problem(mr_exchange *exchange, int status, const char *code, const char *detail);    /* RFC 9457; code: "not-found" */
const char *mr_http_reason(int status);
/* The status of the answer; 0: there is none. *ret_len: bytes of its content; -1: a stream. */
int mr_http_answered(const mr_exchange *exchange, int64_t *ret_len);

/* Puts the answer off: answer is called again after mr_http_later_resume, or after timeout_ms at most. The caller owns one reference. NULL: no
 * memory. */
mr_later *mr_http_later(mr_exchange *exchange, int64_t timeout_ms);
/* The head now, content as it comes (chunked; until close for HTTP/1.0). NULL: no memory, and the connection is closed. */
mr_later *mr_http_reply_stream(mr_exchange *exchange, int status);
/* Any thread. False: the other end is gone, or too slow. */
bool mr_http_stream_write(mr_later *stream, const void *data, size_t len);
void mr_http_later_resume(mr_later *later); /* any thread; of a stream: ends it */
void mr_http_later_unref(mr_later *later);  /* any thread; NULL is fine */

#endif
