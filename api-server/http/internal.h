/* SPDX-License-Identifier: MIT */
/*
 * What the files of the server share.
 *
 * Invariants
 *   - A connection belongs to one loop; everything of it is touched on that loop's thread only, but for its mr_later, which has a lock.
 *   - An idle connection holds no buffer: an mr_exchange, with its buffers, is there from the first byte of a request to the last of its answer.
 *   - Whoever waits has a deadline: head, rest between requests, rate of body and answer, put-off answers, draining.
 *   - A loop blocks in epoll_wait alone (and, on the lanes made for it, in the handler).
 */
#ifndef MR_HTTP_INTERNAL_H
#define MR_HTTP_INTERNAL_H

#include "head.h"
#include "http.h"

#include <llhttp/llhttp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct mr_loop mr_loop;
typedef struct mr_connection mr_connection;

typedef enum mr_phase {
    MR_PHASE_IDLE,
    MR_PHASE_HEAD,
    MR_PHASE_BODY,
    MR_PHASE_ANSWER, /* put off */
    MR_PHASE_WRITE,
    MR_PHASE_STREAM,
    MR_PHASE_LINGER,
} mr_phase;

struct mr_connection {
    int fd;
    uint8_t phase;
    bool close_after; /* this exchange is the last */
    uint32_t events;  /* that epoll tells of; 0: it is not on a loop */
    uint32_t moved;   /* bytes in the current window */
    int64_t deadline_ms;
    mr_loop *loop;
    mr_loop *home;
    mr_exchange *exchange; /* NULL: idle */
    mr_connection *next;
    mr_connection **link; /* what points here */
    char peer[INET6_ADDRSTRLEN];
};

#define MR_HTTP_ID 16 /* letters of a request's id */

typedef struct mr_field {
    uint16_t name;
    uint16_t value;
} mr_field;

struct mr_exchange {
    mr_connection *connection;
    mr_http_server *server;
    void *state;
    char id[MR_HTTP_ID + 1];
    mr_head_scan scan;
    llhttp_t parser;
    size_t have; /* bytes in head: this request's head, then what came after it */
    size_t head_len;
    size_t read; /* of them, given on */
    uint16_t target;
    uint16_t field_count;
    mr_field fields[MR_HTTP_FIELDS_MAX];
    int64_t length; /* -1: chunked */
    uint64_t body_max;
    uint64_t received;
    char *body; /* kept for answer */
    size_t body_len;
    size_t body_room;
    bool begun; /* the handler knows it */
    bool whole; /* the body has come */
    bool replied;
    int status;         /* of the answer, once there is one */
    int64_t answer_len; /* of its content; -1: a stream */
    bool spoilt;        /* a field of the answer can't be sent */
    bool head_only;
    bool chunked_answer;
    int body_status; /* of what is wrong with the body; 0: nothing */
    const char *body_why;
    mr_later *later;
    /* The answer: out[out_at, out_len), then extra, then the file. */
    size_t out_at;
    size_t out_len;
    char *extra;
    size_t extra_at;
    size_t extra_len;
    int file;
    off_t file_at;
    uint64_t file_left;
    size_t fields_len;
    char out_fields[MR_HTTP_REPLY_MAX];
    char out[MR_HTTP_REPLY_MAX + 512];
    char method[24];
    char path[MR_HTTP_TARGET_MAX + 1];
    char head[MR_HTTP_HEAD_MAX];
    mr_exchange *next; /* in the pool */
};

struct mr_later {
    atomic_int references;
    pthread_mutex_t lock;
    mr_connection *connection; /* NULL: gone */
    mr_loop *loop;             /* that of connection */
    bool stream;
    bool resumed;
    bool overrun; /* the reader is too slow */
    char *data;   /* of a stream, to be sent */
    size_t len;
    size_t room;
    bool posted; /* in the loop's inbox */
    mr_later *next;
};

struct mr_loop {
    mr_http_server *server;
    mr_lane lane;
    pthread_t thread;
    bool started;
    int epoll;
    int wake;  /* eventfd */
    bool deaf; /* there was no room for a connection: it listens again with the next tick */
    mr_connection *connections;
    mr_exchange *pool;
    size_t pool_count;
    size_t pool_spare; /* of them nobody has needed since the last tick */
    int64_t now_ms;
    char *scratch; /* for reading bodies */
    int64_t date_s;
    char date[40];
    pthread_mutex_t lock;   /* guards what follows */
    mr_connection *arrived; /* from other loops */
    mr_later *posted;
};

struct mr_http_server {
    mr_http_handler handler;
    mr_http_limits limits;
    uint16_t port;
    int listener; /* of all quick loops */
    mr_loop *loops;
    size_t loop_count;
    size_t first[MR_LANES + 1]; /* of each lane's loops */
    size_t most;                /* connections at a time */
    atomic_size_t connections;
    atomic_uint turn[MR_LANES];
    atomic_bool closing;
    atomic_llong cut_ms; /* when what is left is cut off */
};

#define MR_HTTP_POOL    64 /* exchanges that a loop keeps */
#define MR_HTTP_SCRATCH 262144

/* loop.c */
int64_t mr_loop_now_ms(void);
void *mr_loop_run(void *loop);
void mr_loop_send(mr_loop *to, mr_connection *connection);    /* the connection leaves this loop */
void mr_loop_post(mr_later *later);                           /* later->lock held; any thread */
void mr_loop_watch(mr_connection *connection, bool writable); /* what the phase waits for; writable: the socket was full */
void mr_loop_unlink(mr_connection *connection);
const char *mr_loop_date(mr_loop *loop);
mr_exchange *mr_exchange_new(mr_connection *connection); /* NULL: no memory */
void mr_exchange_free(mr_exchange *exchange);

/* connection.c: false: the connection is gone */
bool mr_connection_readable(mr_connection *connection);
bool mr_connection_resume(mr_connection *connection); /* answer is asked for again */
bool mr_connection_arrived(mr_connection *connection);
bool mr_connection_overdue(mr_connection *connection);
bool mr_connection_next(mr_connection *connection); /* the answer is out */
void mr_connection_close(mr_connection *connection);
void mr_connection_progress(mr_connection *connection, size_t bytes);
void mr_connection_open_window(mr_connection *connection);
bool mr_connection_refuse(mr_connection *connection, int status, const char *why);

/* request.c */
mr_status mr_request_parse(mr_exchange *exchange); /* the head is whole and clean */
void mr_request_name(mr_exchange *exchange);       /* gives it an id */
/* Takes bytes of the body; *ret_used of them belonged to it. False: body_status and body_why say what is wrong. */
bool mr_request_body(mr_exchange *exchange, const char *bytes, size_t len, size_t *ret_used);

/* reply.c: false: the connection is gone */
bool mr_reply_continue(mr_exchange *exchange); /* 100 */
bool mr_reply_write(mr_connection *connection);
bool mr_reply_stream(mr_connection *connection); /* what the stream holds */

/* later.c */
mr_later *mr_later_new(mr_exchange *exchange, bool stream);
void mr_later_cut(mr_exchange *exchange); /* the connection goes, or the exchange has ended */

#endif
