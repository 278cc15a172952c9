/*
 * http.h - what the files of the HTTP binding (libcurl) share.
 *
 *   http.c           the module's entry
 *   http_engine.c    a CURLM on the loop: sockets, timer, finished transfers
 *   http_client.c    a client: its settings, cookies and pool of easy handles (http_transfer)
 *   http_settings.c  a table of settings applied to an easy handle
 *   http_send.c      method, headers and body of one request
 *   http_request.c   the operation of a plain request: everything is sent, everything is received
 *   http_response.c  what a finished transfer tells Lua
 *   http_stream.c    a request whose body is fed, or whose answer is read, piece by piece
 *   http_burst.c     many requests at once, without Lua
 *   http_error.c     libcurl's errors in the words of itlua
 *
 * Who owns whom: an operation or a stream owns its transfer; a running transfer keeps its client, a client its engine.
 */
#ifndef ITLUA_HTTP_H
#define ITLUA_HTTP_H

#include <curl/curl.h>

#include "itlua.h"

#define HTTP_CLIENT_TYPE "itlua.http.client"

typedef struct http_socket http_socket;
typedef struct http_transfer http_transfer;

typedef struct http_engine {
  CURLM *multi;
  it_state *st;
  it_timer *timer; /* libcurl's */
  it_timer *rest;  /* ends the watches of idle connections when nothing was sent for a while */
  http_socket **sockets;
  size_t socket_slots; /* by descriptor */
  int refs, running;
  bool used, resting;
} http_engine;

typedef struct http_client {
  it_state *st;
  http_engine *engine;
  CURLSH *cookies; /* NULL: it keeps none */
  struct curl_slist *headers;
  bool quiet;   /* its requests are another module's own business and no line of the timeline */
  char *prefix; /* base_url, without a slash at its end; or NULL */
  http_transfer *idle;
  int idle_count, refs;
  bool cookies_changed; /* since Lua asked last */
  bool simple; /* a request without options is its path and nothing else: no query, no retries */
} http_client;

/* What a transfer that is not simply gathered does with what arrives. */
typedef struct http_sink {
  size_t (*body)(http_transfer *t, const char *data, size_t size); /* as a CURLOPT_WRITEFUNCTION */
  void (*head)(http_transfer *t);                                  /* the last head is complete */
  size_t (*feed)(http_transfer *t, char *data, size_t size);       /* as a CURLOPT_READFUNCTION */
} http_sink;

/* An easy handle and what it gathers. Idle in its client's pool, or taken; taken it may run in an engine. */
struct http_transfer {
  CURL *easy;
  http_client *client;
  http_engine *engine; /* while it runs */
  http_engine *opens;  /* whose sockets it was told to open */
  http_transfer *next;
  void (*finished)(http_transfer *t, CURLcode result);
  const http_sink *sink;
  void *owner;
  struct curl_slist *headers, *connect_to;
  curl_mime *mime;
  char *body, *via; /* via: the proxy or local socket it goes through, for messages */
  it_buf head, data;
  size_t last_head; /* where the last head begins in `head` */
  size_t limit, received;
  double timeout, connect_timeout;
  bool altered; /* it has not, or not only, its client's settings; an idle one: it has none */
  bool head_ended, too_large, custom_method, digest, following;
  bool
      once; /* its method is not idempotent: a connection that died unanswered is an error, not a reason to repeat */
  bool sent;    /* the request went out, and no head has come since */
  bool repeats; /* libcurl was about to send it again */
  char method[16];
  char errors[CURL_ERROR_SIZE];
};

/* http_engine.c */
http_engine *http_engine_new(it_state *st, long connections);
void http_engine_unref(http_engine *e);
/* Hands the transfer to libcurl; http_engine_kick() sets off all that were started. */
void http_engine_start(http_engine *e, http_transfer *t);
void http_engine_kick(http_engine *e);
void http_engine_remove(http_transfer *t); /* nothing where it does not run */
void http_open_sockets(http_engine *e, http_transfer *t);

/* http_client.c */
int http_client_new(lua_State *L);
void http_client_register(lua_State *L);
http_client *http_client_check(lua_State *L, int arg);
void http_client_unref(http_client *c);
/* A transfer of its own until it is released; it keeps the client. */
http_transfer *http_transfer_take(http_client *c);
/* Gives it the settings of its client, the one at `arg`. May raise. */
void http_transfer_configure(lua_State *L, int arg, http_transfer *t);
void http_transfer_release(http_transfer *t); /* NULL is fine; running it is stopped */

/* http_settings.c: applies the table at `idx` (what itlua.http.options makes) */
void http_settings_apply(lua_State *L, int idx, http_transfer *t);

/* http_send.c */
/* Readies it for `method` on `url` with the plan at `plan` (nil: nothing of its own). May raise. */
void http_prepare(lua_State *L, int client, http_transfer *t, const char *method, const char *url,
                  int plan);
struct curl_slist *http_lines(lua_State *L, int idx, struct curl_slist *list); /* appended */

/* http_request.c */
int http_request(lua_State *L);
int http_verb(lua_State *L);
void http_last_push(lua_State *L);

/* http_response.c */
void http_response_push(lua_State *L, http_transfer *t, bool with_body);
int http_responses(lua_State *L); /* (metatable): what responses get from now on */
long http_status(http_transfer *t);

/* http_stream.c */
void http_stream_register(lua_State *L);
int http_stream_open(lua_State *L); /* (client, method, url, plan, seconds) -> stream */

/* http_burst.c */
int http_burst(lua_State *L); /* (client, method, url, plan|nil, options) -> figures */

/* http_error.c */
typedef struct http_error {
  const char *kind, *code;
} http_error;
http_error http_error_of(http_transfer *t, CURLcode result);
/* What happened, to whom, and what to do; free() it. */
char *http_describe(http_transfer *t, CURLcode result);
/* Fails the operation with that. */
void http_fail(it_op *op, http_transfer *t, CURLcode result);

#endif
