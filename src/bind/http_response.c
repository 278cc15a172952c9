/*
 * http_response.c - what a finished transfer tells Lua. Fields that a test reads seldom go as they are (the head as one
 * string, the times packed before it); lua/itlua/http/response.lua takes them apart when they are asked for.
 */
#include <string.h>

#include "http.h"

long http_status(http_transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

/* Five doubles, seconds since the start (resolved, connected, TLS agreed, first byte, end), then the last head. One string,
 * because every field costs every request, and these are seldom read. */
static void push_raw(lua_State *L, http_transfer *t) {
  static const CURLINFO points[] = {CURLINFO_NAMELOOKUP_TIME_T, CURLINFO_CONNECT_TIME_T,
                                    CURLINFO_APPCONNECT_TIME_T, CURLINFO_STARTTRANSFER_TIME_T,
                                    CURLINFO_TOTAL_TIME_T};
  double seconds[sizeof points / sizeof *points];
  for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(t->easy, points[i], &microseconds);
    seconds[i] = (double)microseconds / 1e6;
  }
  size_t size = t->head.size - t->last_head;
  luaL_Buffer b;
  char *raw = luaL_buffinitsize(L, &b, sizeof seconds + size);
  memcpy(raw, seconds, sizeof seconds);
  if (size) memcpy(raw + sizeof seconds, t->head.data + t->last_head, size);
  luaL_pushresultsize(&b, sizeof seconds + size);
}

static const char metatable_key;

/* core.responses(metatable) */
int http_responses(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  return 0;
}

/* In the frame of a function called with (client, method, url, …). */
void http_response_push(lua_State *L, http_transfer *t, bool with_body) {
  long redirects = 0;
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
  lua_createtable(L, 0, 8);
  lua_pushinteger(L, http_status(t));
  lua_setfield(L, -2, "status");
  if (with_body) {
    lua_pushlstring(L, t->data.data ? t->data.data : "", t->data.size);
    lua_setfield(L, -2, "body");
  }
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "method");
  lua_pushvalue(L, 3);
  lua_setfield(L, -2, "url");
  push_raw(L, t);
  lua_setfield(L, -2, "_raw");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  if (!redirects) return;
  lua_pushvalue(L, 3);
  lua_setfield(L, -2, "_asked");
  char *url = NULL;
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
  lua_pushstring(L, url);
  lua_setfield(L, -2, "url");
  lua_pushlstring(L, t->head.data, t->last_head);
  lua_setfield(L, -2, "_before");
}
