/*
 * server_request.c - a request's memory: what is copied from libmicrohttpd, whose own copy lives only until the answer is
 * sent, and what Lua reads of it, at any time.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "server.h"

#define REQUEST_TYPE "itlua.server.request"

enum { SPARE_MAX = 64, SPARE_TEXT_MAX = 16 * 1024 };

static void reserve(request *req, size_t more) {
  if (req->size + more <= req->capacity) return;
  req->capacity = req->size + more < 512 ? 512 : req->size + more;
  req->text = it_realloc(req->text, req->capacity);
}

static request *take_memory(server *srv) {
  request *req = srv->spare;
  if (!req) return it_alloc(sizeof *req);
  srv->spare = req->next;
  srv->spare_count--;
  *req = (request){.text = req->text, .capacity = req->capacity};
  return req;
}

request *request_new(server *srv, struct MHD_Connection *connection, const char *target) {
  size_t size = strlen(target);
  request *req = take_memory(srv);
  req->connection = connection;
  req->client = client_of(connection);
  if (req->client) req->client->request = req;
  req->srv = srv;
  req->refs = 1;
  reserve(req, size + 1);
  memcpy(req->text, target, size + 1);
  req->size = size + 1;
  req->target_size = size;
  req->path_size = strcspn(target, "?");
  if ((req->next = srv->live)) req->next->link = &req->next;
  req->link = &srv->live;
  srv->live = req;
  srv->active++;
  it_res_ref(&srv->res);
  return req;
}

void request_unref(request *req) {
  server *srv = req->srv;
  if (--req->refs) return;
  stream_free(req->stream);
  it_buf_free(&req->body);
  free(req->error);
  if (srv->spare_count < SPARE_MAX && req->capacity <= SPARE_TEXT_MAX) {
    req->next = srv->spare;
    srv->spare = req;
    srv->spare_count++;
  } else {
    free(req->text);
    free(req);
  }
  it_res_unref(&srv->res);
}

void request_free_spare(server *srv) {
  while (srv->spare) {
    request *req = srv->spare;
    srv->spare = req->next;
    free(req->text);
    free(req);
  }
}

/* ---- the header fields ------------------------------------------------------------------------------------------- */

typedef struct field_size {
  uint32_t name, value;
} field_size;

static server_result copy_field(void *data, enum MHD_ValueKind kind, const char *name,
                                size_t name_size, const char *value, size_t value_size) {
  request *req = data;
  field_size size = {(uint32_t)name_size, (uint32_t)value_size};
  (void)kind;
  reserve(req, sizeof size + name_size + value_size);
  char *p = req->text + req->size;
  memcpy(p, &size, sizeof size);
  memcpy(p + sizeof size, name, name_size);
  if (value_size) memcpy(p + sizeof size + name_size, value, value_size);
  req->size += sizeof size + name_size + value_size;
  return MHD_YES;
}

void request_fields(request *req, struct MHD_Connection *connection) {
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, copy_field, req);
}

/* The next field from *at on; false at the end. */
static bool next_field(const request *req, size_t *at, const char **name, const char **value,
                       field_size *size) {
  if (*at == 0) *at = req->target_size + 1;
  if (*at >= req->size) return false;
  memcpy(size, req->text + *at, sizeof *size);
  *name = req->text + *at + sizeof *size;
  *value = *name + size->name;
  *at += sizeof *size + size->name + size->value;
  return true;
}

/* ---- its end ----------------------------------------------------------------------------------------------------- */

void request_resume(request *req) {
  if (!req->suspended) return;
  req->suspended = false;
  client_unwatch(req);
  MHD_resume_connection(req->connection);
}

void request_over(request *req) {
  server *srv = req->srv;
  bool owed = req->state == TAKEN || (req->state == STREAMING && !req->stream->ended);
  if (req->state == QUEUED) queue_remove(req);
  if (owed && req->gone) queue_gone(req);
  stream_break(req);
  client_unwatch(req);
  if (req->response) MHD_destroy_response(req->response);
  req->response = NULL;
  req->state = OVER;
  req->connection = NULL;
  if (req->client) req->client->request = NULL;
  req->client = NULL;
  if ((*req->link = req->next)) req->next->link = req->link;
  srv->active--;
  queue_drained(srv);
  request_unref(req);
}

/* ---- Lua --------------------------------------------------------------------------------------------------------- */

static int box_gc(lua_State *L) {
  request **box = lua_touserdata(L, 1);
  if (*box) request_unref(*box);
  *box = NULL;
  return 0;
}

void request_register(lua_State *L) {
  luaL_newmetatable(L, REQUEST_TYPE);
  lua_pushcfunction(L, box_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void request_push(lua_State *L, request *req) {
  request **box = lua_newuserdatauv(L, sizeof(request *), 0);
  *box = NULL;
  luaL_setmetatable(L, REQUEST_TYPE);
  *box = req;
  req->refs++;
}

request *request_check(lua_State *L, int arg) {
  return *(request **)luaL_checkudata(L, arg, REQUEST_TYPE);
}

/* fields(request) -> {name, value, name, value, …} as they came, repeated ones too */
static int l_fields(lua_State *L) {
  request *req = request_check(L, 1);
  const char *name, *value;
  field_size size;
  lua_Integer n = 0;
  lua_newtable(L);
  for (size_t at = 0; next_field(req, &at, &name, &value, &size);) {
    lua_pushlstring(L, name, size.name);
    lua_rawseti(L, -2, ++n);
    lua_pushlstring(L, value, size.value);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* field(request, name) -> the first value or nil, whatever the name's case */
static int l_field(lua_State *L) {
  request *req = request_check(L, 1);
  size_t wanted_size;
  const char *wanted = luaL_checklstring(L, 2, &wanted_size);
  const char *name, *value;
  field_size size;
  for (size_t at = 0; next_field(req, &at, &name, &value, &size);) {
    if (size.name != wanted_size || strncasecmp(name, wanted, wanted_size) != 0) continue;
    lua_pushlstring(L, value, size.value);
    return 1;
  }
  return 0;
}

/* body(request) -> string */
static int l_body(lua_State *L) {
  request *req = request_check(L, 1);
  lua_pushlstring(L, req->body.data ? req->body.data : "", req->body.size);
  return 1;
}

/* describe(request) -> method, path, query or nil; as next() gives them */
static int l_describe(lua_State *L) { return request_describe(L, request_check(L, 1)); }

int request_describe(lua_State *L, const request *req) {
  const char *query = req->text + req->path_size + 1;
  lua_pushstring(L, req->method);
  lua_pushlstring(L, req->text, req->path_size);
  if (req->path_size < req->target_size)
    lua_pushlstring(L, query, req->target_size - req->path_size - 1);
  else lua_pushnil(L);
  return 3;
}

/* status(request) -> integer or nil */
static int l_status(lua_State *L) {
  const request *req = request_check(L, 1);
  if (!req->status) return 0;
  lua_pushinteger(L, req->status);
  return 1;
}

/* times(request) -> when it was complete (seconds since 1970), seconds from then to its answer or nil */
static int l_times(lua_State *L) {
  const request *req = request_check(L, 1);
  lua_pushnumber(L, req->at);
  if (!req->ended) return 1;
  lua_pushnumber(L, (lua_Number)(req->ended - req->started) / 1e9);
  return 2;
}

/* failed(request, text): what its handler raised; failed(request) -> text or nil */
static int l_failed(lua_State *L) {
  request *req = request_check(L, 1);
  if (lua_isnoneornil(L, 2)) {
    lua_pushstring(L, req->error);
    return 1;
  }
  char *text = it_strdup(luaL_checkstring(L, 2));
  free(req->error);
  req->error = text;
  return 0;
}

/* client(request) -> address, port; nothing when the connection is over or a unix socket */
static int l_client(lua_State *L) {
  request *req = request_check(L, 1);
  char text[INET6_ADDRSTRLEN];
  if (!req->connection) return 0;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (!info || !info->client_addr) return 0;
  struct sockaddr_storage address = {0};
  memcpy(&address, info->client_addr,
         info->client_addr->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
         : info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(sa_family_t));
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
  if (address.ss_family == AF_INET) inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  else if (address.ss_family == AF_INET6) inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  else return 0;
  lua_pushstring(L, text);
  lua_pushinteger(L, ntohs(address.ss_family == AF_INET ? v4->sin_port : v6->sin6_port));
  return 2;
}

/* gone(request) -> whether the client left before it had the whole answer */
static int l_gone(lua_State *L) {
  lua_pushboolean(L, request_check(L, 1)->gone);
  return 1;
}

const luaL_Reg request_functions[] = {
    {"fields", l_fields}, {"field", l_field}, {"body", l_body},     {"client", l_client},
    {"gone", l_gone},     {"times", l_times}, {"failed", l_failed}, {"describe", l_describe},
    {"status", l_status}, {NULL, NULL},
};
