/*
 * lease.c - resources that only Lua can close, because closing them waits: a container, a network. The sweep ends the lease
 * and names it; lua/itlua/closing.lua then runs what belongs to the leases that were ended.
 */
#include <stdlib.h>

#include "core.h"

static void lease_close(it_res *res) { (void)res; }

static void lease_free(it_res *res) { free(res); }

static const it_res_class named = {"itlua.lease", lease_close, lease_free, false};
static const it_res_class swept = {"itlua.lease.swept", lease_close, lease_free, IT_SWEPT};

static int l_ended(lua_State *L) {
  it_res *const *box = lua_touserdata(L, 1);
  lua_pushboolean(L, !box || !*box || !(*box)->open);
  return 1;
}

void it_lease_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"ended", l_ended}, {NULL, NULL}};
  it_res_register(L, &named, methods);
  it_res_register(L, &swept, methods);
}

int it_lease_new(lua_State *L) {
  const char *label = luaL_checkstring(L, 1);
  it_res *res = it_res_new(L, sizeof *res, lua_toboolean(L, 2) ? &swept : &named);
  it_res_open(res, "%s", label);
  return 1;
}
