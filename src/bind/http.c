/*
 * http.c - itlua.http.core, the C half of lua/itlua/http.lua: HTTP over libcurl's multi interface. http.h maps its files.
 *
 * A state has one engine (a CURLM: connections are kept and reused across its clients); clients and bursts keep it alive.
 */
#include <stdlib.h>

#include "http.h"

enum { CONNECTIONS_KEPT = 256 };

static int engine_gc(lua_State *L) {
  http_engine **box = lua_touserdata(L, 1);
  http_engine_unref(*box);
  *box = NULL;
  return 0;
}

static void push_engine(lua_State *L) {
  http_engine **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, engine_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *box = http_engine_new(it_state_of(L), CONNECTIONS_KEPT);
}

/* core.parse(url) -> host, port; or nil, what is wrong with it */
static int parse(lua_State *L) {
  const char *url = luaL_checkstring(L, 1);
  CURLU *parsed = curl_url();
  char *host = NULL, *port = NULL;
  CURLUcode rc = curl_url_set(parsed, CURLUPART_URL, url, 0);
  if (rc == CURLUE_OK) rc = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
  if (rc == CURLUE_OK) rc = curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
  lua_pushstring(L, rc == CURLUE_OK ? host : NULL);
  lua_pushstring(L, rc == CURLUE_OK ? port : curl_url_strerror(rc));
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parsed);
  return 2;
}

IT_API int luaopen_itlua_http_core(lua_State *L);
int luaopen_itlua_http_core(lua_State *L) {
  static bool ready; /* states are of one thread; the process keeps it to its end */
  if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return luaL_error(L, "libcurl cannot be initialised");
  ready = true;
  static const luaL_Reg functions[] = {{"request", http_request},
                                       {"stream", http_stream_open},
                                       {"burst", http_burst},
                                       {"parse", parse},
                                       {"verb", http_verb},
                                       {"responses", http_responses},
                                       {NULL, NULL}};
  http_client_register(L);
  http_stream_register(L);
  luaL_newlib(L, functions);
  push_engine(L);
  lua_pushcclosure(L, http_client_new, 1);
  lua_setfield(L, -2, "client");
  http_last_push(L);
  lua_setfield(L, -2, "last");
  lua_pushstring(L, curl_version_info(CURLVERSION_NOW)->version);
  lua_setfield(L, -2, "version");
  return 1;
}
