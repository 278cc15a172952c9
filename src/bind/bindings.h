/* bindings.h - what the program knows of a binding: its Lua module, and where its code is. */
#ifndef ITLUA_BINDINGS_H
#define ITLUA_BINDINGS_H

#include <lua.h>

typedef struct it_binding {
  const char *module; /* "itlua.json.core" */
  lua_CFunction open; /* linked in, or NULL */
  const char *file;   /* else the embedded module's name: "http" */
} it_binding;

extern const it_binding it_bindings[]; /* ends with a NULL module */

/* luaopen_ of the bindings that are linked in. */
int luaopen_itlua_container_core(lua_State *L);
int luaopen_itlua_dns_core(lua_State *L);
int luaopen_itlua_json_core(lua_State *L);
int luaopen_itlua_encode_core(lua_State *L);
int luaopen_itlua_fs_core(lua_State *L);
int luaopen_itlua_process_core(lua_State *L);

#endif
