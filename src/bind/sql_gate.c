/*
 * sql_gate.c - a number of permits, handed out in the order of asking: who may take a connection from a pool.
 *
 * A permit that was given to a task which was stopped before it could take it goes to the next in line.
 */
#include <stdlib.h>

#include "sql.h"

#define SQL_GATE "itlua.sql.gate"

typedef struct gate_op gate_op;

typedef struct sql_gate_res {
  it_res res;
  lua_Integer permits;
  gate_op *first, **last;
} sql_gate_res;

struct gate_op {
  it_op op;
  sql_gate_res *gate;
  gate_op *next;
  bool waiting, given, taken;
};

static void release(sql_gate_res *g) {
  gate_op *o = g->first;
  if (!o) {
    g->permits++;
    return;
  }
  if (!(g->first = o->next)) g->last = &g->first;
  o->waiting = false;
  o->given = true;
  it_op_done(&o->op);
}

static void unlink_op(gate_op *o) {
  gate_op **link = &o->gate->first;
  if (!o->waiting) return;
  while (*link != o) link = &(*link)->next;
  if (!(*link = o->next)) o->gate->last = link;
  o->waiting = false;
}

static int gate_push(lua_State *L, it_op *op) {
  (void)L;
  ((gate_op *)op)->taken = true;
  return 0;
}

static bool gate_cancel(it_op *op) {
  unlink_op((gate_op *)op);
  return true;
}

static void gate_op_free(it_op *op) {
  gate_op *o = (gate_op *)op;
  if (o->given && !o->taken) release(o->gate);
  it_res_unref(&o->gate->res);
  free(o);
}

static void gate_close(it_res *res) {
  sql_gate_res *g = (sql_gate_res *)res;
  for (gate_op *o = g->first, *next; o; o = next) {
    next = o->next;
    o->waiting = false;
    it_op_fail(&o->op, "sql", "08003", "%s was closed", res->label);
  }
  g->first = NULL;
  g->last = &g->first;
}

static void gate_free(it_res *res) { free(res); }

static const it_res_class gate_class = {SQL_GATE, gate_close, gate_free, false};

static sql_gate_res *check(lua_State *L) {
  sql_gate_res *g = *(sql_gate_res **)luaL_checkudata(L, 1, SQL_GATE);
  if (!g || !g->res.open)
    it_raise(L, "sql", "08003", "%s is closed", g && g->res.label ? g->res.label : "the pool");
  return g;
}

/* acquire(gate) */
static int l_acquire(lua_State *L) {
  static const it_op_class gate_op_class = {"sql.pool", gate_push, gate_cancel, gate_op_free};
  sql_gate_res *g = check(L);
  gate_op *o = it_op_new(L, sizeof *o, &gate_op_class);
  o->gate = g;
  it_res_ref(&g->res);
  if (g->permits > 0) {
    g->permits--;
    o->given = true;
    it_op_done(&o->op);
  } else {
    it_op_detail(&o->op, "a free connection of %s", g->res.label);
    o->waiting = true;
    *g->last = o;
    g->last = &o->next;
  }
  return it_await(L, &o->op);
}

/* release(gate) */
static int l_release(lua_State *L) {
  sql_gate_res *g = *(sql_gate_res **)luaL_checkudata(L, 1, SQL_GATE);
  if (g && g->res.open) release(g);
  return 0;
}

/* gate(permits, label) -> gate */
int sql_gate(lua_State *L) {
  lua_Integer permits = luaL_checkinteger(L, 1);
  const char *label = luaL_checkstring(L, 2);
  sql_gate_res *g = it_res_new(L, sizeof *g, &gate_class);
  g->permits = permits;
  g->last = &g->first;
  it_res_open(&g->res, "%s", label);
  return 1;
}

void sql_gate_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"release", l_release}, {NULL, NULL}};
  it_res_register(L, &gate_class, methods);
}
