/*
 * server_stream.c - an answer whose body is written bit by bit.
 *
 * The handler's writes go into a buffer; libmicrohttpd takes from it when the client can be sent more. The buffer empty, the
 * connection is suspended until the next write; the buffer full, the writer waits until it has been sent.
 */
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* A write returns at once below FULL bytes, and otherwise when no more than LOW are left. */
enum { FULL = 64 * 1024, LOW = 16 * 1024 };

static size_t left(const stream *s) { return s->size - s->start; }

static void add(stream *s, const char *data, size_t size) {
  if (s->start == s->size) s->start = s->size = 0;
  if (s->size + size > s->capacity && s->start) {
    memmove(s->data, s->data + s->start, left(s));
    s->size -= s->start;
    s->start = 0;
  }
  if (s->size + size > s->capacity) {
    s->capacity = s->size + size < 4096 ? 4096 : 2 * (s->size + size);
    s->data = it_realloc(s->data, s->capacity);
  }
  memcpy(s->data + s->size, data, size);
  s->size += size;
}

void stream_free(stream *s) {
  if (!s) return;
  free(s->data);
  free(s);
}

ssize_t stream_read(void *data, uint64_t position, char *to, size_t max) {
  request *req = data;
  stream *s = req->stream;
  (void)position;
  if (req->gone || (s->failed && !left(s))) return MHD_CONTENT_READER_END_WITH_ERROR;
  size_t n = left(s) < max ? left(s) : max;
  if (n == 0) {
    if (s->ended) return MHD_CONTENT_READER_END_OF_STREAM;
    if (req->srv->closing) return MHD_CONTENT_READER_END_WITH_ERROR;
    MHD_suspend_connection(req->connection);
    req->suspended = true;
    client_watch(req);
    return 0;
  }
  memcpy(to, s->data + s->start, n);
  s->start += n;
  if (s->writer && left(s) <= LOW) {
    write_op *o = s->writer;
    s->writer = NULL;
    it_op_done(&o->op);
  }
  return (ssize_t)n;
}

void stream_released(void *data) { request_unref(data); }

static const char *const GONE = "the client has closed the connection";

void stream_break(request *req) {
  stream *s = req->stream;
  if (!s || !s->writer) return;
  write_op *o = s->writer;
  s->writer = NULL;
  if (req->gone) it_op_fail(&o->op, "http", "EPIPE", "%s", GONE);
  else it_op_done(&o->op);
}

/* ---- write ------------------------------------------------------------------------------------------------------- */

static int write_push(lua_State *L, it_op *op) {
  (void)L, (void)op;
  return 0;
}

static bool write_cancel(it_op *op) {
  write_op *o = (write_op *)op;
  if (o->req->stream->writer == o) o->req->stream->writer = NULL;
  return true;
}

static void write_free(it_op *op) {
  request_unref(((write_op *)op)->req);
  free(op);
}

static const it_op_class write_class = {
    .name = "server.write", .push = write_push, .cancel = write_cancel, .free = write_free};

static void kick(request *req) {
  request_resume(req);
  if (req->srv->timer) it_timer_set(req->srv->timer, 0);
}

/* write(request, chunk) waits while more than the buffer holds is unsent. Raises http EPIPE when the client has left. */
static int l_write(lua_State *L) {
  request *req = request_check(L, 1);
  size_t size;
  const char *chunk = luaL_checklstring(L, 2, &size);
  stream *s = req->stream;
  if (!s) it_usage(L, "the request has no stream");
  if (req->gone) it_raise(L, "http", "EPIPE", "%s", GONE);
  if (s->ended) it_usage(L, "the stream is closed");
  if (req->state != STREAMING || !size) return 0; /* over without having asked for a body: HEAD */
  if (s->writer) it_usage(L, "another task is writing to this stream");
  add(s, chunk, size);
  kick(req);
  if (left(s) <= FULL) return 0;
  write_op *o = it_op_new(L, sizeof *o, &write_class);
  o->req = req;
  req->refs++;
  s->writer = o;
  return it_await(L, &o->op);
}

/* finish(request, complete): no more will be written; not complete: the connection is cut, so that the client can tell */
static int l_finish(lua_State *L) {
  request *req = request_check(L, 1);
  stream *s = req->stream;
  if (!s || s->ended) return 0;
  s->ended = true;
  s->failed = !lua_toboolean(L, 2);
  if (req->state == STREAMING) kick(req);
  return 0;
}

const luaL_Reg stream_functions[] = {{"write", l_write}, {"finish", l_finish}, {NULL, NULL}};
