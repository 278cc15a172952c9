/*
 * http_send.c - method, headers and body of one request, from the plan that lua/itlua/http/options.lua makes:
 *
 *   headers  array of lines, all of the request's (those of the client are in it)
 *   body     string;  parts: multipart, array of {name, data | file, filename, type, headers};  upload: size of a body that
 *            will be fed (-1: not known). One of them or none.
 *   and the settings of http_settings.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"

enum {
  ROOM = 64 << 10, /* libcurl's pieces of what is sent, as it comes */
  EXPECT_ABOVE = 1 << 20
}; /* libcurl asks before it sends more, and would wait a second for servers that ignore it */

/* ---- headers ---- */

static struct curl_slist *append(struct curl_slist *list, const char *line) {
  struct curl_slist *longer = curl_slist_append(list, line);
  if (!longer) abort();
  return longer;
}

struct curl_slist *http_lines(lua_State *L, int idx, struct curl_slist *list) {
  if (lua_isnoneornil(L, idx)) return list;
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  for (lua_Integer i = 1; i <= n; i++) { /* nothing may be raised once lines are held */
    if (lua_rawgeti(L, idx, i) != LUA_TSTRING) luaL_error(L, "line %d is no string", (int)i);
    lua_pop(L, 1);
  }
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, idx, i);
    list = append(list, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return list;
}

static bool names(const struct curl_slist *list, const char *name) {
  size_t n = strlen(name);
  for (; list; list = list->next)
    if (!strncasecmp(list->data, name, n) && (list->data[n] == ':' || list->data[n] == ';'))
      return true;
  return false;
}

static void set_headers(lua_State *L, http_transfer *t, int plan, bool typed, bool large) {
  const struct curl_slist *base = t->client->headers;
  bool own = false;
  if (plan) {
    own = lua_getfield(L, plan, "headers") != LUA_TNIL;
    if (own) t->headers = http_lines(L, lua_gettop(L), NULL);
    lua_pop(L, 1);
  }
  const struct curl_slist *list = own ? t->headers : base;
  /* libcurl would say that any body is a form; what it is, the caller says or nobody */
  bool untype = typed && !names(list, "Content-Type"), unexpect = large && !names(list, "Expect");
  if (!own && !untype && !unexpect) return;
  if (!own)
    for (; base; base = base->next) t->headers = append(t->headers, base->data);
  if (untype) t->headers = append(t->headers, "Content-Type:");
  if (unexpect) t->headers = append(t->headers, "Expect:");
  t->altered = true;
  curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

/* libcurl 8.5, among others, takes a request without a body for sent after the second piece, and
 * waits for its answer for ever: a head larger than a piece goes in one, up to libcurl's 2 MB. */
static void set_room(http_transfer *t, const char *url) {
  size_t size = strlen(url);
  const struct curl_slist *list = t->headers ? t->headers : t->client->headers;
  for (; list; list = list->next) size += strlen(list->data) + 2;
  if (size < ROOM) return;
  curl_easy_setopt(t->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)(size + ROOM));
  t->altered = true;
}

/* ---- multipart ---- */

static const char *field(lua_State *L, int idx, const char *name, size_t *size) {
  lua_getfield(L, idx, name); /* left on the stack: the caller pops all of them at once */
  if (lua_isnil(L, -1)) return NULL;
  return luaL_checklstring(L, -1, size);
}

static void add_part(lua_State *L, http_transfer *t, int idx) {
  int top = lua_gettop(L);
  size_t size = 0;
  curl_mimepart *part = curl_mime_addpart(t->mime);
  const char *name = field(L, idx, "name", NULL), *file = field(L, idx, "file", NULL);
  const char *data = field(L, idx, "data", &size), *type = field(L, idx, "type", NULL);
  const char *filename = field(L, idx, "filename", NULL);
  curl_mime_name(part, name);
  if (file && curl_mime_filedata(part, file) != CURLE_OK)
    it_raise(L, "fs", "ENOENT", "the file \"%s\" of the multipart body cannot be read", file);
  if (!file) curl_mime_data(part, data ? data : "", size);
  if (filename) curl_mime_filename(part, filename);
  if (type) curl_mime_type(part, type);
  lua_getfield(L, idx, "headers");
  if (!lua_isnil(L, -1)) curl_mime_headers(part, http_lines(L, lua_gettop(L), NULL), 1);
  lua_settop(L, top);
}

static void set_parts(lua_State *L, http_transfer *t, int parts) {
  luaL_checktype(L, parts, LUA_TTABLE);
  t->mime = curl_mime_init(t->easy);
  lua_Integer n = (lua_Integer)lua_rawlen(L, parts);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, parts, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    add_part(L, t, lua_gettop(L));
    lua_pop(L, 1);
  }
  curl_easy_setopt(t->easy, CURLOPT_MIMEPOST, t->mime);
}

/* ---- method and body ---- */

typedef struct content {
  bool body, parts, upload;
  size_t size;
} content;

static content set_content(lua_State *L, http_transfer *t, int plan) {
  content c = {0};
  if (!plan) return c;
  lua_getfield(L, plan, "body");
  lua_getfield(L, plan, "parts");
  lua_getfield(L, plan, "upload");
  if (!lua_isnil(L, -3)) {
    const char *body = luaL_checklstring(L, -3, &c.size);
    c.body = true;
    t->body = it_memdup(
        body, c.size); /* libcurl does not copy it, and Lua's may be gone when a task is killed */
  } else if (!lua_isnil(L, -2)) {
    set_parts(L, t, lua_gettop(L) - 1);
    c.parts = true;
  } else if (!lua_isnil(L, -1)) {
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)luaL_checkinteger(L, -1));
    c.upload = true;
  }
  lua_pop(L, 3);
  return c;
}

static void set_method(http_transfer *t, const char *method, content c) {
  const char *natural = "GET";
  bool sends = !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
  if (c.upload) {
    natural = "PUT";
  } else if (c.parts) {
    natural = "POST";
  } else if (c.body || sends) {
    natural = "POST";
    curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c.size);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body ? t->body : "");
  } else if (!strcmp(method, "HEAD")) {
    natural = "HEAD";
    curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
  }
  t->custom_method = strcmp(method, natural) != 0;
  if (!t->custom_method) return;
  curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
  /* a 301 or 302 repeats any method but POST, and then with its body */
  curl_easy_setopt(t->easy, CURLOPT_POSTREDIR, (long)(CURL_REDIR_POST_301 | CURL_REDIR_POST_302));
}

static bool idempotent(const char *method) {
  static const char *const methods[] = {"GET",     "HEAD",  "PUT",  "DELETE",
                                        "OPTIONS", "TRACE", "QUERY"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (!strcmp(method, methods[i])) return true;
  return false;
}

void http_prepare(lua_State *L, int client, http_transfer *t, const char *method, const char *url,
                  int plan) {
  if (lua_isnoneornil(L, plan)) plan = 0;
  if (t->altered) http_transfer_configure(L, client, t);
  t->errors[0] = 0;
  curl_easy_setopt(t->easy, CURLOPT_URL, url);
  if (!plan && !strcmp(method, "GET")) { /* the pool's handles are ready for that */
    set_room(t, url);
    return;
  }
  t->altered = true;
  t->once = !idempotent(method);
  snprintf(t->method, sizeof t->method, "%s", method);
  if (plan) http_settings_apply(L, plan, t);
  content c = set_content(L, t, plan);
  set_method(t, method, c);
  set_headers(L, t, plan, c.body || (!c.parts && !c.upload), c.upload || c.size > EXPECT_ABOVE);
  set_room(t, url);
}
