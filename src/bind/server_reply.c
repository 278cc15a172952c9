/*
 * server_reply.c - the answer to a request: status, header fields, body.
 *
 * An answer given while the connection is with the daemon is queued at once; one given while it is suspended is kept until
 * the daemon, resumed, asks for it.
 */
#include <string.h>
#include <strings.h>

#include "server.h"

enum { BLOCK = 16384 }; /* what libmicrohttpd asks a stream for at once */

/* ---- handing over ------------------------------------------------------------------------------------------------ */

server_result reply_queue(request *req) {
  struct MHD_Response *response = req->response;
  if (req->gone || !response) return MHD_NO;
  req->response = NULL;
  server_result ok = MHD_queue_response(req->connection, req->status, response);
  MHD_destroy_response(response);
  return ok;
}

void reply_refuse(request *req, unsigned status, const char *text) {
  size_t size = strlen(text);
  char *copy = it_memdup(text, size);
  req->response = MHD_create_response_from_buffer(size, copy, MHD_RESPMEM_MUST_FREE);
  MHD_add_response_header(req->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
  req->status = status;
  req->refused = true;
  req->state = ANSWERED;
  reply_queue(req);
}

/* The answer is complete as far as Lua goes. */
static void deliver(request *req) {
  server *srv = req->srv;
  req->ended = it_now();
  if (srv->quiesced) MHD_add_response_header(req->response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (!srv->answered) {
    srv->answered = true;
    it_timer_set(srv->timer, 0);
  }
  if (req->suspended) request_resume(req);
  else reply_queue(req);
}

/* ---- header fields ----------------------------------------------------------------------------------------------- */

/* libmicrohttpd writes these itself. */
static bool is_framing(const char *name) {
  return strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
         strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
}

static void add_field(lua_State *L, request *req, const char *name, int value) {
  size_t size;
  const char *text = lua_isstring(L, value) ? lua_tolstring(L, value, &size) : NULL;
  if (!text)
    it_usage(L, "header %s is a %s: a string or a list of strings is expected", name,
             luaL_typename(L, value));
  /* libmicrohttpd refuses an empty value, a tab, a line break. */
  if (size == 0) return;
  if (strlen(text) != size || MHD_add_response_header(req->response, name, text) != MHD_YES)
    it_usage(L, "header %s cannot be sent: its name or value has a character that is not allowed",
             name);
}

/* The table at `idx`: name -> value or list of values. Returns whether there was a Content-Type. */
static bool add_fields(lua_State *L, request *req, int idx) {
  bool typed = false;
  luaL_checkstack(L, 4, "headers");
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      it_usage(L, "a header's name is a %s: headers = {name = value} is expected",
               luaL_typename(L, -2));
    const char *name = lua_tostring(L, -2);
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_TYPE) == 0) typed = true;
    if (is_framing(name)) {
      lua_pop(L, 1);
      continue;
    }
    if (lua_istable(L, -1)) {
      for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        add_field(L, req, name, -1);
        lua_pop(L, 1);
      }
      lua_pop(L, 1);
    } else {
      lua_pushvalue(L, -1); /* lua_tolstring would change what lua_next is about to use */
      add_field(L, req, name, -1);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return typed;
}

/* Gives req->response to the request as its answer with the header fields at `headers` and the default type at `type`. */
static void answer(lua_State *L, request *req, int headers, int type, enum request_state state) {
  bool typed = lua_istable(L, headers) && add_fields(L, req, headers);
  if (!typed && lua_isstring(L, type)) {
    lua_pushvalue(L, type);
    add_field(L, req, MHD_HTTP_HEADER_CONTENT_TYPE, -1);
    lua_pop(L, 1);
  }
  req->state = state;
  deliver(req);
}

/* A response that an error left behind while its headers were added. */
static void forget(request *req) {
  if (req->response) MHD_destroy_response(req->response);
  req->response = NULL;
}

static bool may_answer(lua_State *L, request *req) {
  if (req->state == OVER || req->gone) return false;
  if (req->state != TAKEN) it_usage(L, "the request was answered already");
  lua_Integer status = luaL_checkinteger(L, 2);
  if (status < 200 || status > 999)
    it_usage(L, "status %lld: 200 to 999 is expected", (long long)status);
  req->status = (unsigned)status;
  return true;
}

/* reply(request, status, body or nil, content type or nil, headers or nil) -> whether the client is still there */
static int l_reply(lua_State *L) {
  request *req = request_check(L, 1);
  size_t size;
  const char *body = luaL_optlstring(L, 3, "", &size);
  if (!may_answer(L, req)) {
    lua_pushboolean(L, false);
    return 1;
  }
  forget(req);
  lua_settop(L, 5);
  req->response =
      MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
  if (!req->response) it_usage(L, "the answer is too large");
  answer(L, req, 5, 4, ANSWERED);
  lua_pushboolean(L, true);
  return 1;
}

/* stream(request, status, length or nil, content type or nil, headers or nil) -> whether the client is still there */
static int l_stream(lua_State *L) {
  request *req = request_check(L, 1);
  lua_Integer length = luaL_optinteger(L, 3, -1);
  if (!may_answer(L, req)) {
    lua_pushboolean(L, false);
    return 1;
  }
  forget(req);
  lua_settop(L, 5);
  if (!req->stream) req->stream = it_alloc(sizeof *req->stream);
  req->refs++; /* the response's reader has it too */
  req->response = MHD_create_response_from_callback(
      length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)length, BLOCK, stream_read, req, stream_released);
  if (!req->response) {
    request_unref(req);
    it_usage(L, "the stream cannot be made");
  }
  /* libmicrohttpd 0.9.75 ends a chunked body that it does not send under HEAD: the next answer would begin with it. */
  if (length < 0 && strcmp(req->method, MHD_HTTP_METHOD_HEAD) == 0)
    MHD_add_response_header(req->response, MHD_HTTP_HEADER_CONNECTION, "close");
  answer(L, req, 5, 4, STREAMING);
  lua_pushboolean(L, true);
  return 1;
}

const luaL_Reg reply_functions[] = {{"reply", l_reply}, {"stream", l_stream}, {NULL, NULL}};
