/*
 * server.h - what the files of the HTTP server share: the server (a resource), and a request with its states.
 *
 * A request's life. Every step but Lua's runs in a callback of libmicrohttpd or in a C function that Lua called:
 *
 *   READING   its request line arrived; headers and body follow
 *   QUEUED    complete; in the server's queue for Lua
 *   TAKEN     a worker task has it; when libmicrohttpd looks at it again before the answer, its connection is suspended
 *   ANSWERED  the response is with libmicrohttpd, or will be once the connection was resumed
 *   STREAMING the same, and the handler is still writing the body
 *   OVER      libmicrohttpd is done with it, or the client is gone
 *
 * Two owners hold a request: libmicrohttpd (from its first callback to its last) and the Lua box.
 */
#ifndef ITLUA_SERVER_H
#define ITLUA_SERVER_H

#include <microhttpd.h>

#include "itlua.h"

#if MHD_VERSION < 0x00097002
typedef int server_result;
#else
typedef enum MHD_Result server_result;
#endif

typedef struct server server;
typedef struct request request;
typedef struct client client;
typedef struct next_op next_op;
typedef struct write_op write_op;
typedef struct drain_op drain_op;
typedef struct signal_op signal_op;

enum request_state { READING, QUEUED, TAKEN, ANSWERED, STREAMING, OVER };

/* What the handler has written and the client has not read yet. */
typedef struct stream {
  char *data;
  size_t start, size, capacity;
  write_op *writer;   /* waits until there is room */
  bool ended, failed; /* no more will come; what was said of its length is not true */
} stream;

/* A connection, as long as libmicrohttpd has it. */
struct client {
  int fd;
  request *request; /* its present one, NULL between two */
  client *next, **link;
};

struct request {
  client *client;                    /* NULL once libmicrohttpd is done with it */
  struct MHD_Connection *connection; /* NULL once libmicrohttpd is done with it */
  server *srv;
  request *next_queued;
  request *next, **link; /* the server's requests that libmicrohttpd knows; or its spare ones */
  int refs;
  enum request_state state;
  bool suspended;     /* its connection */
  bool gone;          /* the client left before the answer was complete */
  bool told;          /* the worker was told so */
  bool refused;       /* answered without Lua */
  lua_Integer worker; /* who has it */
  it_watch *watch;    /* on the socket while the connection is suspended, to see the client leave */
  struct MHD_Response *response;
  unsigned status; /* of the answer, 0 before there is one */
  stream *stream;
  it_buf body;
  size_t received;         /* body bytes, with those that were thrown away */
  double at;               /* when it was complete, seconds since 1970 */
  uint64_t started, ended; /* complete, answered: it_now() */
  char *error;             /* what its handler raised, or NULL */
  char method[24];
  size_t path_size, target_size;
  size_t size, capacity; /* of `text`, which stays with a spare request */
  char *
      text; /* the target as the client sent it, NUL; the header fields: two lengths, name, value */
};

/* The last requests that Lua was given, oldest first: a ring. */
typedef struct request_ring {
  request **slots;
  size_t limit, first, count, bytes; /* bytes: of the bodies */
} request_ring;

struct server {
  it_res res; /* first: the core's */
  struct MHD_Daemon *daemon;
  it_watch *watch;  /* on the daemon's epoll descriptor */
  it_timer *timer;  /* when the daemon wants to run without an event */
  it_timer *patrol; /* looks for clients that left unseen */
  int port;
  char *unix_path, *certificate, *key, *log;
  size_t max_body;
  request *queue, **queue_tail; /* complete requests, oldest first */
  request *gone;                /* of TAKEN ones: whose worker has to be told, by next_queued */
  request *live;                /* known to libmicrohttpd */
  client *clients;
  int client_count, client_max, patrol_ms;
  request *spare; /* memory for the next ones */
  int spare_count;
  request_ring journal;
  next_op *idle;          /* workers that wait for a request */
  drain_op *drain;        /* waits until no request is alive */
  signal_op *signal;      /* waits until the process is asked to end */
  int idle_count, active; /* active: requests that are not OVER */
  int turns;              /* in a row without going through the loop */
  bool waking;            /* a worker was woken and has not come for its request yet */
  bool answered;          /* since the daemon ran last */
  bool room;              /* likewise: a connection ended while there were as many as allowed */
  bool running, quiesced, closing;
};

struct next_op {
  it_op op;
  server *srv;
  next_op *next, **link; /* the idle workers; link is NULL once it was woken */
  lua_Integer worker;
  bool woken; /* and not come for its request yet */
};

struct write_op {
  it_op op;
  request *req; /* NULL once the stream is over */
};

struct drain_op {
  it_op op;
  server *srv;
};

extern const it_res_class server_class;

/* server_daemon.c: libmicrohttpd on the loop */
/* Starts on the listening socket, which it takes over. On failure false, and srv->log says why if the library did. */
bool server_start(server *srv, int listener, unsigned memory, unsigned idle_seconds,
                  unsigned connections);
/* Lets libmicrohttpd do what it can do now. Never while it is running already. */
void server_turn(server *srv);
void server_stop(server *srv);
/* No new connections any more. */
void server_quiesce(server *srv);

/* server_request.c: a request's memory and what Lua reads of it */
request *request_new(server *srv, struct MHD_Connection *connection, const char *target);
void request_unref(request *req);
void request_fields(request *req, struct MHD_Connection *connection);
void request_free_spare(server *srv);
void request_over(request *req);   /* libmicrohttpd is done with it */
void request_resume(request *req); /* no-op when its connection is not suspended */
request *request_check(lua_State *L, int arg);
int request_describe(lua_State *L, const request *req); /* pushes method, path, query or nil */
void request_push(lua_State *L, request *req);          /* a box that shares it */
void request_register(lua_State *L);
extern const luaL_Reg request_functions[];

/* server_journal.c: the last requests, for Lua to look at */
void journal_add(server *srv, request *req);
void journal_clear(server *srv);
extern const luaL_Reg journal_functions[];

/* server_queue.c: complete requests to worker tasks */
void queue_add(request *req);
void queue_remove(request *req);
void queue_gone(request *req); /* its worker has to be told */
void queue_close(server *srv); /* lets every worker and the drain go */
void queue_drained(server *srv);
void queue_register(lua_State *L);
/* What stands for the server also when it is closed: workers wait on it, and it keeps the journal. */
void queue_push_inbox(lua_State *L, server *srv);
server *queue_check_inbox(lua_State *L, int arg);
extern const luaL_Reg queue_functions[];

/* server_reply.c: the answer */
/* From libmicrohttpd's callback: hands over an answer that was given while the connection was suspended. */
server_result reply_queue(request *req);
void reply_refuse(request *req, unsigned status, const char *text);
extern const luaL_Reg reply_functions[];

/* server_stream.c: an answer written bit by bit */
ssize_t stream_read(void *data, uint64_t position, char *to, size_t max);
void stream_released(void *data);
void stream_free(stream *s);
void stream_break(
    request *req); /* the client is gone, or the server closes: whoever writes is told */
extern const luaL_Reg stream_functions[];

/* server_signal.c: waiting for SIGTERM and SIGINT */
extern const luaL_Reg signal_functions[];
void signal_end(server *srv); /* the server was closed */

/* server_client.c: seeing clients leave where libmicrohttpd does not */
void client_connected(server *srv, struct MHD_Connection *connection, void **slot);
void client_closed(server *srv, void **slot);
client *client_of(struct MHD_Connection *connection);
void client_watch(request *req);
void client_unwatch(request *req);
void client_patrol(void *data);

#endif
