/*
 * http_stream.c - a request whose body Lua feeds piece by piece, and whose answer it reads piece by piece.
 *
 * libcurl's callbacks and Lua meet in two buffers. A full or empty one pauses libcurl's side (CURL_WRITEFUNC_PAUSE,
 * CURL_READFUNC_PAUSE); Lua's next read or write takes the pause back. Lua waits in one operation at a time:
 *
 *   write   until the buffer has room, or the server has answered without wanting more
 *   head    until the last head is complete (not that of a redirect which is followed)
 *   read    until something arrived, or the end
 *
 * A wait that times out leaves the stream as it is. States: open -> head -> finished (result) -> closed.
 */
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum { BUFFERED_MAX = 256 * 1024 };
typedef enum { WAIT_WRITE, WAIT_HEAD, WAIT_READ } waiting_for;

typedef struct stream {
  it_res res;
  http_transfer *transfer;
  struct stream_op *waiter;
  it_buf in, out;
  size_t out_sent;
  CURLcode result;
  int challenges; /* answers "401" so far, under digest authentication */
  bool head, finished, fed, starved, full;
  char *label;
} stream;

typedef struct stream_op {
  it_op op;
  stream *s;
  it_timer *timer;
  double seconds;
  waiting_for what;
} stream_op;

static const it_res_class stream_class;

/* ---- conditions ---- */

static size_t unsent(const stream *s) { return s->out.size - s->out_sent; }

static bool ready(const stream *s, waiting_for what) {
  if (s->finished) return true;
  switch (what) {
  case WAIT_WRITE: return unsent(s) <= BUFFERED_MAX / 2;
  case WAIT_HEAD: return s->head;
  case WAIT_READ: return s->in.size > 0;
  }
  return true;
}

static void wake(stream *s) {
  stream_op *o = s->waiter;
  if (!o || !ready(s, o->what)) return;
  s->waiter = NULL;
  it_timer_free(o->timer);
  o->timer = NULL;
  /* what arrived before the end is handed out first */
  if (s->finished && s->result != CURLE_OK && !(o->what == WAIT_READ && s->in.size) &&
      o->what != WAIT_WRITE)
    http_fail(&o->op, s->transfer, s->result);
  else it_op_done(&o->op);
}

/* ---- libcurl's side: called inside curl_multi_socket_action or curl_easy_pause ---- */

static void on_head(http_transfer *t) {
  stream *s = t->owner;
  long status = http_status(t);
  if (status < 200) return;
  /* libcurl may go on to another URL: the head is the last one if a body or the end follows */
  if (t->following && status >= 300 && status < 400 && status != 304) return;
  if (t->digest && status == 401 && !s->challenges++) return;
  s->head = true;
  wake(s);
}

static size_t on_body(http_transfer *t, const char *data, size_t size) {
  stream *s = t->owner;
  s->head = true;
  if (s->in.size >= BUFFERED_MAX) {
    s->full = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  it_buf_add(&s->in, data, size);
  wake(s);
  return size;
}

static size_t on_feed(http_transfer *t, char *data, size_t size) {
  stream *s = t->owner;
  size_t n = unsent(s);
  if (!n && !s->fed) {
    s->starved = true;
    return CURL_READFUNC_PAUSE;
  }
  if (n > size) n = size;
  if (n) memcpy(data, s->out.data + s->out_sent, n);
  s->out_sent += n;
  if (s->out_sent >= s->out.size / 2) { /* half of it is gone: close the gap */
    s->out.size -= s->out_sent;
    if (s->out.size) memmove(s->out.data, s->out.data + s->out_sent, s->out.size);
    s->out_sent = 0;
  }
  wake(s);
  return n;
}

static const http_sink sink = {on_body, on_head, on_feed};

static void finished(http_transfer *t, CURLcode result) {
  stream *s = t->owner;
  s->finished = s->head = true;
  s->result = result;
  wake(s);
}

/* Lua took from one buffer or put into the other: libcurl may go on. */
static void go_on(stream *s) {
  http_transfer *t = s->transfer;
  if (s->finished) return;
  bool fuller = s->starved && (unsent(s) || s->fed), emptier = s->full && s->in.size < BUFFERED_MAX;
  if (!fuller && !emptier) return;
  if (fuller) s->starved = false;
  if (emptier) s->full = false;
  int still = (s->full ? CURLPAUSE_RECV : 0) | (s->starved ? CURLPAUSE_SEND : 0);
  http_engine *e = t->engine;
  curl_easy_pause(t->easy, still);
  http_engine_kick(e);
}

/* ---- waits ---- */

static void expired(void *data) {
  stream_op *o = data;
  static const char *const nothing[] = {"took no more of the body", "has not answered",
                                        "sent nothing"};
  o->s->waiter = NULL;
  it_op_fail(&o->op, "timeout", "TIMEOUT", "%s: the server %s for %.3g s", o->s->label,
             nothing[o->what], o->seconds);
}

static int stream_push(lua_State *L, it_op *op) {
  stream_op *o = (stream_op *)op;
  stream *s = o->s;
  if (o->what == WAIT_WRITE) {
    lua_pushboolean(L, !s->finished);
    return 1;
  }
  if (o->what == WAIT_HEAD) {
    lua_getiuservalue(L, 1, 1); /* {method, url} */
    lua_rawgeti(L, -1, 1);
    lua_replace(L, 2);
    lua_rawgeti(L, -1, 2);
    lua_replace(L, 3);
    http_response_push(L, s->transfer, false);
    return 1;
  }
  if (s->in.size) lua_pushlstring(L, s->in.data, s->in.size);
  else lua_pushnil(L);
  s->in.size = 0;
  go_on(s);
  return 1;
}

static bool stream_op_cancel(it_op *op) {
  ((stream_op *)op)->s->waiter = NULL;
  return true;
}

static void stream_op_free(it_op *op) {
  stream_op *o = (stream_op *)op;
  it_timer_free(o->timer);
  it_res_unref(&o->s->res);
  free(o);
}

static const it_op_class write_class = {"http.write", stream_push, stream_op_cancel,
                                        stream_op_free};
static const it_op_class head_class = {"http.request", stream_push, stream_op_cancel,
                                       stream_op_free};
static const it_op_class read_class = {"http.read", stream_push, stream_op_cancel, stream_op_free};

static int wait_for(lua_State *L, stream *s, waiting_for what, double seconds) {
  static const it_op_class *const classes[] = {&write_class, &head_class, &read_class};
  if (s->waiter) it_usage(L, "another task waits on this stream already");
  lua_settop(L, 3); /* the push of a head wants method and url at 2 and 3 */
  stream_op *o = it_op_new(L, sizeof *o, classes[what]);
  o->s = s;
  it_res_ref(&s->res);
  o->what = what;
  o->seconds = seconds;
  if (!s->transfer->client->quiet) it_op_detail(&o->op, "%s", s->label);
  s->waiter = o;
  wake(s);
  if (s->waiter && seconds > 0) {
    o->timer = it_timer_new(o->op.st, expired, o);
    it_timer_set(o->timer, (int64_t)(seconds * 1000 + 0.5));
  }
  return it_await(L, &o->op);
}

/* ---- methods ---- */

/* stream:write(data, seconds) -> false when the server wants no more */
static int stream_write(lua_State *L) {
  stream *s = it_res_check(L, 1, &stream_class);
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);
  double seconds = luaL_optnumber(L, 3, 0);
  if (s->fed) it_usage(L, "the body of %s has ended already", s->label);
  if (!s->finished) it_buf_add(&s->out, data, size);
  go_on(s);
  return wait_for(L, s, WAIT_WRITE, seconds);
}

/* stream:finish(): that was the body */
static int stream_finish(lua_State *L) {
  stream *s = it_res_check(L, 1, &stream_class);
  s->fed = true;
  go_on(s);
  return 0;
}

/* stream:head(seconds) -> response fields */
static int stream_head(lua_State *L) {
  return wait_for(L, it_res_check(L, 1, &stream_class), WAIT_HEAD, luaL_optnumber(L, 2, 0));
}

/* stream:read(seconds) -> bytes, or nil at the end */
static int stream_read(lua_State *L) {
  return wait_for(L, it_res_check(L, 1, &stream_class), WAIT_READ, luaL_optnumber(L, 2, 0));
}

static void stream_close(it_res *res) {
  stream *s = (stream *)res;
  if (s->transfer) http_engine_remove(s->transfer);
  if (!s->finished) s->result = CURLE_ABORTED_BY_CALLBACK;
  s->finished = s->head = true;
  wake(s);
}

static void stream_free(it_res *res) {
  stream *s = (stream *)res;
  http_transfer_release(s->transfer);
  it_buf_free(&s->in);
  it_buf_free(&s->out);
  free(s->label);
  free(s);
}

static const it_res_class stream_class = {"itlua.http.stream", stream_close, stream_free, false};

void http_stream_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"write", stream_write},
                                     {"finish", stream_finish},
                                     {"head", stream_head},
                                     {"read", stream_read},
                                     {NULL, NULL}};
  it_res_register(L, &stream_class, methods);
}

/* core.stream(client, method, url, plan) */
int http_stream_open(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  const char *method = luaL_checkstring(L, 2), *url = luaL_checkstring(L, 3);
  lua_settop(L, 4);
  stream *s = it_res_new(L, sizeof *s, &stream_class);
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, 3);
  lua_rawseti(L, -2, 2);
  lua_setiuservalue(L, 5, 1);
  it_buf label = {0};
  it_buf_addf(&label, "%s %s", method, url);
  s->label = label.data;
  http_transfer *t = s->transfer = http_transfer_take(c);
  t->owner = s;
  t->finished = finished;
  t->sink = &sink;
  http_prepare(L, 1, t, method, url, 4);
  it_res_open(&s->res, "response of %s", s->label);
  http_engine_start(c->engine, t);
  http_engine_kick(c->engine);
  return 1;
}
