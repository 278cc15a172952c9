/*
 * json.c - itlua.json.core: JSON for bodies, records and events. lua/itlua/json.lua is what specs see.
 *
 *   decode, encode        json_decode.c, json_encode.c
 *   number, minify        below
 *   peer                  json_peer.c: the same text as cJSON reads it
 *   array, object         the metatables: __jsontype = "array" | "object", and __jsonorder = {keys}, as dkjson has them
 *
 * cJSON cannot carry decode and encode, for it loses what a test must see: numbers are doubles (9007199254740993 arrives
 * as ...992), a string ends at its first NUL, "01" and "1." and raw control characters pass, invalid UTF-8 passes, errors
 * have no position, its depth limit is fixed when it is compiled, and it allocates a node a value (it is slower than the
 * way from the text to Lua's stack in one pass). It is here as what it is: the reader that many clients have. json.portable
 * compares the two, for an API whose clients read doubles, and so do the tests and the fuzz target, to find our mistakes.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

const char *const json_utf8_names[] = {"strict", "replace", "keep", NULL};

/* ---- numbers kept as text ---- */

void json_number_push(lua_State *L, const char *text,
                      size_t size) { /* the metatable is on top; replaces it */
  char *copy = lua_newuserdatauv(L, size + 1, 0);
  memcpy(copy, text, size), copy[size] = 0;
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
}

/* number(text) -> a number that keeps its text */
static int l_number(lua_State *L) {
  size_t size;
  bool whole;
  const char *text = luaL_checklstring(L, 1, &size), *wrong = "more follows it";
  if (json_number_end(text, &whole, &wrong) != text + size)
    it_usage(L, "json.number: '%s' is no JSON number: %s", text, wrong);
  lua_pushvalue(L, JSON_NUMBER);
  json_number_push(L, text, size);
  return 1;
}

static int number_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  lua_pushlstring(L, lua_touserdata(L, 1), lua_rawlen(L, 1) - 1);
  return 1;
}

/* ---- the encoder's buffers ---- */

void json_sink_push(lua_State *L) {
  json_sink *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (json_sink){0};
}

void json_sink_clear(json_sink *s) {
  it_buf_free(&s->out);
  free(s->members);
  *s = (json_sink){0};
}

static int sink_gc(lua_State *L) {
  json_sink_clear(lua_touserdata(L, 1));
  return 0;
}

/* ---- minify ---- */

/* minify(text) -> text without blanks. Own too: cJSON_Minify takes the quote after "\\\\" for an escaped one. */
static int l_minify(lua_State *L) {
  luaL_Buffer b;
  size_t size, n = 0;
  const char *p = luaL_checklstring(L, 1, &size), *end = p + size;
  lua_settop(L, 1);
  json_decode(L); /* from here on the text is known to be JSON */
  char *out = luaL_buffinitsize(L, &b, size);
  for (bool quoted = false; p < end; p++) {
    if (quoted && *p == '\\') out[n++] = *p++;
    else if (*p == '"') quoted = !quoted;
    else if (!quoted && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) continue;
    out[n++] = *p;
  }
  luaL_pushresultsize(&b, n);
  return 1;
}

/* ---- the module ---- */

int json_choice(lua_State *L, int idx, const char *field, const char *const *names, int otherwise) {
  const char *s = it_opt_string(L, idx, field, NULL);
  if (!s) return otherwise;
  lua_pushliteral(L, "");
  for (int i = 0; names[i]; i++) {
    if (strcmp(s, names[i]) == 0) {
      lua_pop(L, 1);
      return i;
    }
    lua_pushfstring(L, i > 0 ? ", '%s'" : "'%s'", names[i]);
    lua_concat(L, 2);
  }
  it_usage(L, "json: the option '%s' is '%s'; it can be %s", field, s, lua_tostring(L, -1));
}

void json_limits(lua_State *L, int idx, int *max_depth, size_t *max_size) {
  lua_Integer depth = it_opt_integer(L, idx, "max_depth", *max_depth);
  lua_Integer size = it_opt_integer(L, idx, "max_size", (lua_Integer)*max_size);
  if (depth < 1 || depth > JSON_DEPTH_MOST)
    it_usage(L, "json: max_depth is 1 to %d, not %lld", JSON_DEPTH_MOST, (long long)depth);
  if (size < 0) it_usage(L, "json: max_size is negative");
  *max_depth = (int)depth;
  *max_size = (size_t)size;
}

static void marker(lua_State *L, const char *type) {
  lua_newtable(L);
  lua_pushstring(L, type), lua_setfield(L, -2, "__jsontype");
}

int luaopen_itlua_json_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"decode", json_decode}, {"encode", json_encode},
                                       {"number", l_number},    {"minify", l_minify},
                                       {"peer", json_peer},     {NULL, NULL}};
  luaL_newlibtable(L, functions);
  int lib = lua_gettop(L);
  it_push_null(L);
  lua_pushvalue(L, -1), lua_setfield(L, lib, "null");
  marker(L, "array"), lua_pushvalue(L, -1), lua_setfield(L, lib, "array");
  marker(L, "object"), lua_pushvalue(L, -1), lua_setfield(L, lib, "object");
  lua_newtable(L);
  lua_pushliteral(L, "json.number"), lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, number_tostring), lua_setfield(L, -2, "__tostring");
  lua_pushvalue(L, -1), lua_setfield(L, lib, "number_metatable");
  json_sink_push(L);
  lua_newtable(L), lua_pushcfunction(L, sink_gc), lua_setfield(L, -2, "__gc"),
      lua_setmetatable(L, -2);
  luaL_setfuncs(L, functions, JSON_UPVALUES);
  lua_pushstring(L, json_peer_version());
  lua_setfield(L, lib, "version");
  return 1;
}
