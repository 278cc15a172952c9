/* container.h - what the files of the binding share. */
#ifndef ITLUA_BIND_CONTAINER_H
#define ITLUA_BIND_CONTAINER_H

#include "itlua.h"

/* reaper(line) -> whether there is one: tells it something; the first line starts it. */
int container_reaper(lua_State *L);
/* container_guard.c */
int container_hold(lua_State *L);
int container_note(lua_State *L);

#endif
