/*
 * bell.c - a bell for Lua: tasks wait for it, and whoever rings wakes all that wait at that moment. lua/itlua/capture.lua waits
 * so for what a background task reads.
 */
#include <stdlib.h>

#include "core.h"

#define BELL_TYPE "itlua.bell"

typedef struct bell_op bell_op;
typedef struct bell {
  bell_op *waiting;
  int refs; /* the userdata and every operation: which of them goes first is the collector's choice */
} bell;

struct bell_op {
  it_op op;
  bell *bell;
  bell_op *next, **link; /* NULL when it no longer waits */
};

static void unref(bell *b) {
  if (!--b->refs) free(b);
}

static void unlink_op(bell_op *o) {
  if (!o->link) return;
  if ((*o->link = o->next)) o->next->link = o->link;
  o->link = NULL;
}

static int wait_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static bool wait_cancel(it_op *op) {
  unlink_op((bell_op *)op);
  return true;
}

static void wait_free(it_op *op) {
  unref(((bell_op *)op)->bell);
  free(op);
}

static const it_op_class wait_class = {"wait", wait_push, wait_cancel, wait_free};

static bell *check(lua_State *L) { return *(bell **)luaL_checkudata(L, 1, BELL_TYPE); }

/* bell:wait(): until it rings */
static int l_wait(lua_State *L) {
  bell *b = check(L);
  bell_op *o = it_op_new(L, sizeof *o, &wait_class);
  b->refs++;
  o->bell = b;
  if ((o->next = b->waiting)) o->next->link = &o->next;
  o->link = &b->waiting;
  b->waiting = o;
  return it_await(L, &o->op);
}

/* bell:ring() */
static int l_ring(lua_State *L) {
  bell *b = check(L);
  while (b->waiting) {
    bell_op *o = b->waiting;
    unlink_op(o);
    it_op_done(&o->op);
  }
  return 0;
}

static int l_gc(lua_State *L) {
  bell **box = lua_touserdata(L, 1);
  if (*box) unref(*box);
  *box = NULL;
  return 0;
}

void it_bell_register(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", l_wait}, {"ring", l_ring}, {"__gc", l_gc}, {NULL, NULL}};
  luaL_newmetatable(L, BELL_TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

int it_bell_new(lua_State *L) {
  bell **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BELL_TYPE);
  *box = it_alloc(sizeof **box);
  (*box)->refs = 1;
  return 1;
}
