/*
 * json_peer.c - a text as cJSON reads it: numbers are doubles, strings end at a NUL, of equal keys cJSON's lookup finds the
 * first. Why it exists: see json.c.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "json.h"

static int tree_gc(lua_State *L) {
  cJSON **tree = lua_touserdata(L, 1);
  cJSON_Delete(*tree);
  *tree = NULL;
  return 0;
}

static void push(lua_State *L, const cJSON *item) {
  luaL_checkstack(L, 8, "JSON nested too deeply");
  if (cJSON_IsBool(item)) lua_pushboolean(L, cJSON_IsTrue(item));
  else if (cJSON_IsNumber(item)) lua_pushnumber(L, item->valuedouble);
  else if (cJSON_IsString(item)) lua_pushstring(L, item->valuestring);
  else if (cJSON_IsArray(item)) {
    lua_Integer n = 0;
    const cJSON *child;
    lua_newtable(L);
    lua_pushvalue(L, JSON_ARRAY);
    lua_setmetatable(L, -2);
    cJSON_ArrayForEach(child, item) {
      push(L, child);
      lua_rawseti(L, -2, ++n);
    }
  } else if (cJSON_IsObject(item)) {
    const cJSON *child;
    lua_newtable(L);
    cJSON_ArrayForEach(child, item) {
      lua_pushstring(L, child->string);
      lua_pushvalue(L, -1);
      bool again = lua_rawget(L, -3) != LUA_TNIL;
      lua_pop(L, 1);
      if (again) {
        lua_pop(L, 1);
        continue;
      }
      push(L, child);
      lua_rawset(L, -3);
    }
  } else lua_pushvalue(L, JSON_NULL);
}

/* peer(text) -> true, value | false, byte where it gave up; and cJSON's version */
int json_peer(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size), *end = NULL;
  cJSON **tree = lua_newuserdatauv(L, sizeof(void *), 0);
  *tree = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, tree_gc), lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *tree = cJSON_ParseWithLengthOpts(text, size + 1, &end, 1);
  lua_pushboolean(L, *tree != NULL);
  if (*tree) push(L, *tree);
  else lua_pushinteger(L, end ? (lua_Integer)(end - text) + 1 : 1);
  cJSON_Delete(*tree);
  *tree = NULL;
  lua_pushstring(L, cJSON_Version());
  return 3;
}

const char *json_peer_version(void) { return cJSON_Version(); }
