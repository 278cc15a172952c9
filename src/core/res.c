/*
 * res.c - resources: anything with a close. Created closed, opened once it was acquired, closed once, freed with its last
 * reference; one that is left open is named.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

uint64_t it_birth(it_state *st) {
  const it_task *t = st->sched->current;
  /* What a background task makes belongs to whoever made that task: a server's handlers are the server's. */
  return t && t->st == st && !t->main ? t->birth : ++st->serial;
}

static int res_close(lua_State *L) {
  it_res **box = lua_touserdata(L, 1);
  if (box && *box) it_res_close(*box);
  return 0;
}

static int res_gc(lua_State *L) {
  it_res **box = lua_touserdata(L, 1);
  it_res *res = *box;
  if (!res) return 0;
  *box = NULL;
  it_res_close(res);
  it_res_unref(res);
  return 0;
}

static int res_tostring(lua_State *L) {
  it_res *res = *(it_res **)lua_touserdata(L, 1);
  if (!res || !res->label) lua_pushstring(L, "closed");
  else lua_pushfstring(L, "%s%s", res->label, res->open ? "" : " (closed)");
  return 1;
}

void it_res_register(lua_State *L, const it_res_class *cls, const luaL_Reg *methods) {
  static const luaL_Reg own[] = {{"close", res_close},
                                 {"__close", res_close},
                                 {"__gc", res_gc},
                                 {"__tostring", res_tostring},
                                 {NULL, NULL}};
  if (luaL_newmetatable(L, cls->name)) {
    luaL_setfuncs(L, own, 0);
    if (methods) luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

void *it_res_new(lua_State *L, size_t size, const it_res_class *cls) {
  /* A finalizer that runs while the state closes: what it makes now would never be collected. */
  if (it_state_of(L)->closing)
    it_raise(L, "cancelled", NULL, "%s: the script has ended", cls->name);
  it_res **box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = NULL;
  luaL_setmetatable(L, cls->name);
  it_res *res = it_alloc(size);
  res->cls = cls;
  res->st = it_state_of(L);
  res->refs = 1;
  res->where = it_strdup(it_where(L));
  lua_pop(L, 1);
  return *box = res;
}

void it_res_open(it_res *res, const char *label, ...) {
  it_state *st = res->st;
  va_list args;
  char text[256];
  va_start(args, label);
  vsnprintf(text, sizeof text, label, args);
  va_end(args);
  free(res->label);
  res->label = it_strdup(text);
  if (res->open) return;
  res->open = true;
  res->serial = it_birth(st);
  res->link = &st->resources;
  if ((res->next = st->resources)) res->next->link = &res->next;
  st->resources = res;
}

void *it_res_check(lua_State *L, int arg, const it_res_class *cls) {
  it_res *res = *(it_res **)luaL_checkudata(L, arg, cls->name);
  if (!res || !res->open) it_usage(L, "%s is closed", res && res->label ? res->label : cls->name);
  return res;
}

void it_res_close(it_res *res) {
  if (!res->open) return;
  res->open = false;
  if ((*res->link = res->next)) res->next->link = res->link;
  res->cls->close(res);
}

void it_res_ref(it_res *res) { res->refs++; }

void it_res_unref(it_res *res) {
  if (--res->refs) return;
  free(res->label);
  free(res->where);
  res->cls->free(res);
}
