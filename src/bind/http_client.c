/*
 * http_client.c - a client: settings that all its requests share, a cookie jar, and a pool of easy handles.
 *
 * An idle handle keeps its client's settings, so that a plain request sets no more than its URL. One that had settings of
 * its own (`altered`) is reset when it comes back, and configured when it is next used.
 *
 * The Lua object is a box; what libcurl may call back on is counted memory. A client holds nothing worth reporting when it
 * is left open: connections belong to the state's engine.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"

enum { POOL_MAX = 64, BUFFER_KEPT = 65536, HEAD_MAX = 1 << 20 };

/* ---- what arrives ---- */

static size_t on_head(char *data, size_t size, size_t count, void *user) {
  http_transfer *t = user;
  size *= count;
  if (t->head_ended && size > 5 && !strncmp(data, "HTTP/", 5)) {
    t->head_ended = false;
    t->last_head = t->head.size;
  }
  if (t->head.size + size > HEAD_MAX) {
    t->too_large = true;
    return 0;
  }
  if ((*data | 32) == 's' && size > 11 && !strncasecmp(data, "Set-Cookie:", 11))
    t->client->cookies_changed = true;
  it_buf_add(&t->head, data, size);
  if (t->head_ended || size > 2) return size; /* more to come, or trailers */
  t->head_ended = true;
  t->sent = false;
  long status = http_status(t);
  /* Only GET may follow a 303, and libcurl would repeat a method that is not its own. */
  if (status == 303 && t->custom_method && t->following)
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
  if (t->sink && t->sink->head) t->sink->head(t);
  return size;
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
  http_transfer *t = user;
  size *= count;
  if (!t->received) {
    curl_off_t length = -1;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0 && (size_t)length > t->limit) t->received = t->limit;
  }
  if (size > t->limit - t->received) {
    t->too_large = true;
    return 0;
  }
  if (t->sink) {
    size_t taken = t->sink->body(t, data, size);
    if (taken == size) t->received += size;
    return taken;
  }
  t->received += size;
  it_buf_add(&t->data, data, size);
  return size;
}

/* Before every request that goes out. libcurl repeats one where a connection that it used again died without an answer: the
 * server may have done what it was asked to all the same. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_send(void *user, char *ip, char *own_ip, int port, int own_port) {
  (void)ip, (void)own_ip, (void)port, (void)own_port;
  http_transfer *t = user;
  t->repeats = t->sent && t->once;
  t->sent = true;
  return t->repeats ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_feed(char *data, size_t size, size_t count, void *user) {
  http_transfer *t = user;
  return t->sink && t->sink->feed ? t->sink->feed(t, data, size * count) : 0;
}

/* ---- the pool ---- */

http_transfer *http_transfer_take(http_client *c) {
  http_transfer *t = c->idle;
  if (t) {
    c->idle = t->next;
    c->idle_count--;
    t->next = NULL;
  } else {
    t = it_alloc(sizeof *t);
    t->client = c;
    t->easy = curl_easy_init();
    t->altered = true;
  }
  c->refs++;
  return t;
}

void http_transfer_configure(lua_State *L, int arg, http_transfer *t) {
  CURL *easy = t->easy;
  t->opens = NULL;
  t->following = t->digest = t->custom_method = t->once = false;
  t->timeout = t->connect_timeout = 0;
  t->limit = SIZE_MAX;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                   1L); /* else removing one that resolves waits for the resolver */
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->errors);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_feed);
  curl_easy_setopt(easy, CURLOPT_READDATA, t);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (t->client->cookies) {
    curl_easy_setopt(easy, CURLOPT_SHARE, t->client->cookies);
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->client->headers);
  lua_getiuservalue(L, arg, 1);
  http_settings_apply(L, lua_gettop(L), t);
  lua_pop(L, 1);
  t->altered = false;
}

static void clear(it_buf *b) {
  b->size = 0;
  if (b->capacity > BUFFER_KEPT) it_buf_free(b);
}

static void transfer_free(http_transfer *t) {
  curl_easy_cleanup(t->easy);
  curl_slist_free_all(t->connect_to);
  it_buf_free(&t->head);
  it_buf_free(&t->data);
  free(t->via);
  free(t);
}

void http_transfer_release(http_transfer *t) {
  if (!t) return;
  http_client *c = t->client;
  http_engine_remove(t);
  if (t->altered) {
    curl_easy_setopt(t->easy, CURLOPT_COOKIEFILE, NULL); /* 7.88's reset would leak it */
    curl_easy_reset(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->connect_to);
    curl_mime_free(t->mime);
    free(t->via);
    t->headers = t->connect_to = NULL;
    t->mime = NULL;
    t->via = NULL;
  }
  free(t->body);
  t->body = NULL;
  t->owner = NULL;
  t->sink = NULL;
  t->finished = NULL;
  t->last_head = t->received = 0;
  t->head_ended = t->too_large = t->sent = t->repeats = false;
  t->errors[0] = 0;
  clear(&t->head);
  clear(&t->data);
  if (c->idle_count < POOL_MAX && c->refs > 1) {
    t->next = c->idle;
    c->idle = t;
    c->idle_count++;
  } else {
    transfer_free(t);
  }
  http_client_unref(c);
}

/* ---- life ---- */

void http_client_unref(http_client *c) {
  if (--c->refs) return;
  for (http_transfer *t = c->idle, *next; t; t = next) {
    next = t->next;
    transfer_free(t);
  }
  curl_slist_free_all(c->headers);
  free(c->prefix);
  if (c->cookies) curl_share_cleanup(c->cookies);
  http_engine_unref(c->engine);
  free(c);
}

static int client_close(lua_State *L) {
  http_client **box = luaL_checkudata(L, 1, HTTP_CLIENT_TYPE), *c = *box;
  *box = NULL;
  if (c) http_client_unref(c);
  return 0;
}

http_client *http_client_check(lua_State *L, int arg) {
  http_client *c = *(http_client **)luaL_checkudata(L, arg, HTTP_CLIENT_TYPE);
  if (!c) it_usage(L, "this HTTP client is closed");
  return c;
}

/* core.client(settings, cookies, simple) -> box */
int http_client_new(lua_State *L) {
  lua_settop(L, 3);
  luaL_checktype(L, 1, LUA_TTABLE);
  bool cookies = lua_toboolean(L, 2);
  http_engine *engine = *(http_engine **)lua_touserdata(L, lua_upvalueindex(1));
  if (!engine) return luaL_error(L, "itlua.http is closed");
  http_client **box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = NULL;
  luaL_setmetatable(L, HTTP_CLIENT_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  http_client *c = *box = it_alloc(sizeof *c);
  c->refs = 1;
  c->st = it_state_of(L);
  c->engine = engine;
  engine->refs++;
  if (cookies) {
    c->cookies = curl_share_init();
    curl_share_setopt(c->cookies, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
  }
  c->quiet = it_opt_boolean(L, 1, "quiet", false);
  c->simple = lua_toboolean(L, 3);
  lua_getfield(L, 1, "prefix");
  if (!lua_isnil(L, -1)) c->prefix = it_strdup(luaL_checkstring(L, -1));
  lua_pop(L, 1);
  lua_getfield(L, 1, "headers");
  c->headers = http_lines(L, lua_gettop(L), NULL);
  lua_pop(L, 1);
  return 1;
}

/* ---- cookies ---- */

/* client:cookies() -> lines of a Netscape cookie file */
static int client_cookies(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  lua_newtable(L);
  if (!c->cookies) return 1;
  CURL *easy = curl_easy_init();
  struct curl_slist *list = NULL;
  curl_easy_setopt(easy, CURLOPT_SHARE, c->cookies);
  curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &list);
  lua_Integer n = 0;
  for (struct curl_slist *s = list; s; s = s->next) {
    lua_pushstring(L, s->data);
    lua_rawseti(L, -2, ++n);
  }
  curl_slist_free_all(list);
  curl_easy_cleanup(easy);
  return 1;
}

/* client:cookie(line): a "Set-Cookie: …" line, a line of a cookie file, or libcurl's "ALL" and "SESS" (forget) */
static int client_cookie(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  const char *line = luaL_checkstring(L, 2);
  if (!c->cookies) it_usage(L, "this HTTP client keeps no cookies");
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_SHARE, c->cookies);
  curl_easy_setopt(easy, CURLOPT_COOKIELIST, line);
  c->cookies_changed = true;
  curl_easy_cleanup(easy);
  return 0;
}

/* client:changed() -> whether cookies came or went since the last call */
static int client_changed(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  lua_pushboolean(L, c->cookies_changed);
  c->cookies_changed = false;
  return 1;
}

void http_client_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", client_close},     {"__gc", client_close},
                                     {"cookies", client_cookies}, {"cookie", client_cookie},
                                     {"changed", client_changed}, {NULL, NULL}};
  luaL_newmetatable(L, HTTP_CLIENT_TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
