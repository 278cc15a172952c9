/*
 * probe.c - a binding for tests (require "itlua.probe"): operations that end at once, later, never, with an error, after
 * they were given up; a resource; work on the pool. It counts what is alive.
 */
#include <stdlib.h>
#include <unistd.h>

#include "world.h"

int probe_live_ops, probe_live_resources, probe_closes;

typedef struct probe_op {
  it_op op;
  it_timer *timer;
  it_res *res;
  lua_Integer value;
  bool push_raises;
} probe_op;

static void over(void *data) { it_op_done(data); }

static int op_push(lua_State *L, it_op *op) {
  const probe_op *p = (probe_op *)op;
  if (p->push_raises) it_raise(L, "http", "PUSH", "push raised");
  lua_pushinteger(L, p->value);
  return 1;
}

static bool op_cancel(it_op *op) {
  (void)op;
  return true;
}

/* A library that insists on calling back. */
static bool stubborn_cancel(it_op *op) {
  (void)op;
  return false;
}

static void op_free(it_op *op) {
  probe_op *p = (probe_op *)op;
  it_timer_free(p->timer);
  if (p->res) it_res_unref(p->res);
  probe_live_ops--;
  free(p);
}

static const it_op_class op_class = {"probe.op", op_push, op_cancel, op_free};
static const it_op_class stubborn_class = {"probe.stubborn", op_push, stubborn_cancel, op_free};

static probe_op *new_op(lua_State *L, const it_op_class *cls) {
  probe_op *p = it_op_new(L, sizeof *p, cls);
  probe_live_ops++;
  return p;
}

static probe_op *new_timed_op(lua_State *L, const it_op_class *cls, lua_Integer ms) {
  lua_Integer value = luaL_optinteger(L, 2, 0);
  probe_op *p = new_op(L, cls);
  p->value = value;
  p->timer = it_timer_new(p->op.st, over, p);
  it_op_detail(&p->op, "%d ms", (int)ms);
  it_timer_set(p->timer, ms);
  return p;
}

/* after(ms [, value]) -> value */
static int l_after(lua_State *L) {
  return it_await(L, &new_timed_op(L, &op_class, luaL_checkinteger(L, 1))->op);
}

/* stubborn(ms [, value]) -> value: cancelling does not keep it from calling back */
static int l_stubborn(lua_State *L) {
  return it_await(L, &new_timed_op(L, &stubborn_class, luaL_checkinteger(L, 1))->op);
}

/* never(): something is left that could end it, in thirty years */
static int l_never(lua_State *L) {
  return it_await(L, &new_timed_op(L, &op_class, INT64_C(1) << 40)->op);
}

/* hopeless(): waits for what nothing can end */
static int l_hopeless(lua_State *L) { return it_await(L, &new_op(L, &op_class)->op); }

/* at_once(value) -> value: done before it is awaited */
static int l_at_once(lua_State *L) {
  lua_Integer value = luaL_checkinteger(L, 1);
  probe_op *p = new_op(L, &op_class);
  p->value = value;
  it_op_detail(&p->op, "value %d", (int)value);
  it_op_outcome(&p->op, "got %d", (int)value);
  it_op_done(&p->op);
  return it_await(L, &p->op);
}

/* fail(kind, code | nil, message) */
static int l_fail(lua_State *L) {
  const char *kind = luaL_checkstring(L, 1), *code = luaL_optstring(L, 2, NULL),
             *message = luaL_checkstring(L, 3);
  probe_op *p = new_op(L, &op_class);
  it_op_fail(&p->op, kind, code, "%s", message);
  return it_await(L, &p->op);
}

/* push_raises(): its push raises, so nobody but the anchor frees it */
static int l_push_raises(lua_State *L) {
  probe_op *p = new_op(L, &op_class);
  p->push_raises = true;
  it_op_done(&p->op);
  return it_await(L, &p->op);
}

/* abandoned(): an error between it_op_new and it_await */
static int l_abandoned(lua_State *L) {
  new_timed_op(L, &op_class, 5);
  return luaL_error(L, "abandoned");
}

/* ---- a resource ---- */

static void res_close(it_res *res) {
  (void)res;
  probe_closes++;
}

static void res_free(it_res *res) {
  probe_live_resources--;
  free(res);
}

static const it_res_class res_class = {"itlua.probe", res_close, res_free, false};
static const it_res_class quiet_class = {"itlua.probe.quiet", res_close, res_free, true};

/* open(label [, quiet]) -> resource */
static int l_open(lua_State *L) {
  const char *label = luaL_checkstring(L, 1);
  it_res *res = it_res_new(L, sizeof *res, lua_toboolean(L, 2) ? &quiet_class : &res_class);
  probe_live_resources++;
  it_res_open(res, "%s", label);
  return 1;
}

/* unopened() -> resource that was made and never opened */
static int l_unopened(lua_State *L) {
  it_res_new(L, sizeof(it_res), &res_class);
  probe_live_resources++;
  return 1;
}

/* resource:use(ms): an operation that keeps its memory alive */
static int l_use(lua_State *L) {
  it_res *res = it_res_check(L, 1, &res_class);
  probe_op *p = new_timed_op(L, &op_class, luaL_checkinteger(L, 2));
  it_res_ref(p->res = res);
  return it_await(L, &p->op);
}

/* ---- the pool ---- */

typedef struct pool_op {
  it_op op;
  lua_Integer ms;
} pool_op;

static void pool_work(void *data) { usleep((useconds_t)((pool_op *)data)->ms * 1000); }

static void pool_after(void *data) { it_op_done(data); }

static int pool_push(lua_State *L, it_op *op) {
  lua_pushinteger(L, ((pool_op *)op)->ms);
  return 1;
}

static void pool_free(it_op *op) {
  probe_live_ops--;
  free(op);
}

static const it_op_class pool_class = {"probe.work", pool_push, stubborn_cancel, pool_free};

/* work(ms) -> ms: on a pool thread */
static int l_work(lua_State *L) {
  lua_Integer ms = luaL_checkinteger(L, 1);
  pool_op *p = it_op_new(L, sizeof *p, &pool_class);
  probe_live_ops++;
  p->ms = ms;
  it_work(p->op.st, pool_work, pool_after, p);
  return it_await(L, &p->op);
}

/* ---- the rest ---- */

/* block(ms): holds the thread in C */
static int l_block(lua_State *L) {
  usleep((useconds_t)luaL_checkinteger(L, 1) * 1000);
  return 0;
}

/* live() -> operations, resources, closes so far */
static int l_live(lua_State *L) {
  lua_pushinteger(L, probe_live_ops);
  lua_pushinteger(L, probe_live_resources);
  lua_pushinteger(L, probe_closes);
  return 3;
}

/* options(table | nil) -> what it_opt_… make of its fields s, i, n, b */
static int l_options(lua_State *L) {
  lua_settop(L, 1);
  lua_pushstring(L, it_opt_string(L, 1, "s", "otherwise"));
  lua_pushinteger(L, it_opt_integer(L, 1, "i", 7));
  lua_pushnumber(L, it_opt_number(L, 1, "n", 0.5));
  lua_pushboolean(L, it_opt_boolean(L, 1, "b", true));
  return 4;
}

/* usage(message): what a binding says of a wrong argument */
static int l_usage(lua_State *L) { it_usage(L, "%s", luaL_checkstring(L, 1)); }

int luaopen_itlua_probe(lua_State *L) {
  static const luaL_Reg methods[] = {{"use", l_use}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"after", l_after},
                                       {"stubborn", l_stubborn},
                                       {"never", l_never},
                                       {"hopeless", l_hopeless},
                                       {"at_once", l_at_once},
                                       {"fail", l_fail},
                                       {"push_raises", l_push_raises},
                                       {"abandoned", l_abandoned},
                                       {"open", l_open},
                                       {"unopened", l_unopened},
                                       {"work", l_work},
                                       {"block", l_block},
                                       {"live", l_live},
                                       {"options", l_options},
                                       {"usage", l_usage},
                                       {NULL, NULL}};
  it_res_register(L, &res_class, methods);
  it_res_register(L, &quiet_class, methods);
  luaL_newlib(L, functions);
  return 1;
}
