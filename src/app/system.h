/* system.h - require "itlua.cli.core": what the command line's Lua needs of the system and of the program. */
#ifndef ITLUA_SYSTEM_H
#define ITLUA_SYSTEM_H

#include "worker.h"

int it_luaopen_cli(lua_State *L);

/* supervisor.c, local.c, signals.c, keys.c: add their functions to the table on top. */
void it_supervisor_open(lua_State *L);
void it_local_open(lua_State *L);
void it_signals_open(lua_State *L);
void it_keys_open(lua_State *L);

/* local.c: what a worker in this process, if there is one, does between turns of the loop. */
void it_local_tend(void);

/* What main.c knows. */
extern const char *const it_version;
void it_stay_without_reader(void); /* nobody reading the standard output is no reason to end */

#endif
