/*
 * fs_watch.c - changes in a folder as they come, on uv_fs_event_t. The watch keeps what nobody has taken yet.
 *
 * The handle's memory lives until libuv's close callback; an operation that waits is in the watch's list.
 */
#include <stdlib.h>
#include <string.h>

#include "fs.h"

enum { KEPT = 10000 };

typedef struct change {
  struct change *next;
  char *name; /* NULL where the system does not say */
  bool appeared_or_went;
} change;

typedef struct watch {
  it_res res;
  uv_fs_event_t handle;
  change *first, **last;
  struct watch_op *waits;
  size_t count;
  int error;
  bool lost; /* there were too many */
} watch;

typedef struct watch_op {
  it_op op;
  watch *w;
  struct watch_op *next, **link; /* link NULL: in no list */
  it_timer *timer;
  double seconds;
  change *got;
} watch_op;

static void change_free(change *c) {
  if (!c) return;
  free(c->name);
  free(c);
}

static void leave_list(watch_op *o) {
  if (!o->link) return;
  if ((*o->link = o->next)) o->next->link = o->link;
  o->link = NULL;
}

static bool take(watch_op *o) {
  watch *w = o->w;
  if (!w->first) return w->error != 0 || !w->res.open;
  o->got = w->first;
  if (!(w->first = o->got->next)) w->last = &w->first;
  w->count--;
  return true;
}

static void serve(watch *w) {
  for (watch_op *o = w->waits, *next; o; o = next) {
    next = o->next;
    if (!take(o)) return;
    leave_list(o);
    it_op_done(&o->op);
  }
}

static void changed(uv_fs_event_t *handle, const char *name, int events, int status) {
  watch *w = handle->data;
  if (status < 0) w->error = status;
  else if (w->count == KEPT) w->lost = true;
  else {
    change *c = it_alloc(sizeof *c);
    c->name = name ? it_strdup(name) : NULL;
    c->appeared_or_went = (events & UV_RENAME) != 0;
    *w->last = c;
    w->last = &c->next;
    w->count++;
  }
  serve(w);
}

/* ---- waiting ---- */

static void late(void *data) {
  watch_op *o = data;
  if (!o->link) return;
  leave_list(o);
  it_op_fail(&o->op, "timeout", "FS", "nothing has changed in %s for %.6g s", o->w->res.label,
             o->seconds);
}

static int watch_push(lua_State *L, it_op *op) {
  watch_op *o = (watch_op *)op;
  if (o->w->lost) {
    o->w->lost = false;
    it_raise(L, "fs", "LOST", "more than %d changes in %s were not taken, some are lost", KEPT,
             o->w->res.label);
  }
  if (!o->got && o->w->error) fs_fail(L, o->w->error, "cannot watch", o->w->res.label, NULL);
  if (!o->got) it_raise(L, "cancelled", NULL, "%s was closed", o->w->res.label);
  lua_pushstring(L, o->got->name);
  lua_pushstring(L, o->got->appeared_or_went ? "rename" : "change");
  return 2;
}

static bool watch_cancel(it_op *op) {
  leave_list((watch_op *)op);
  return true;
}

static void watch_op_free(it_op *op) {
  watch_op *o = (watch_op *)op;
  leave_list(o);
  it_timer_free(o->timer);
  change_free(o->got);
  it_res_unref(&o->w->res);
  free(o);
}

static const it_op_class next_class = {"fs.watch", watch_push, watch_cancel, watch_op_free};

/* ---- the resource ---- */

static void handle_closed(uv_handle_t *handle) {
  watch *w = handle->data;
  it_state *st = w->res.st;
  it_res_unref(&w->res);
  it_drop(st);
}

static void watch_close(it_res *res) {
  watch *w = (watch *)res;
  uv_close((uv_handle_t *)&w->handle, handle_closed);
  serve(w);
}

static void watch_free(it_res *res) {
  watch *w = (watch *)res;
  for (change *c = w->first, *next; c; c = next) {
    next = c->next;
    change_free(c);
  }
  free(w);
}

static const it_res_class watch_class = {"itlua.fs.watch", watch_close, watch_free, false};

/* watch(path) -> handle */
static int l_watch(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  watch *w = it_res_new(L, sizeof *w, &watch_class);
  w->last = &w->first;
  w->handle.data = w;
  int rc = uv_fs_event_init(it_loop(w->res.st), &w->handle);
  if (rc != 0) fs_fail(L, rc, "cannot watch", path, NULL);
  it_hold(w->res.st);
  it_res_ref(&w->res);
  rc = uv_fs_event_start(&w->handle, changed, path, 0);
  if (rc != 0) {
    uv_close((uv_handle_t *)&w->handle, handle_closed);
    fs_fail(L, rc, "cannot watch", path, NULL);
  }
  it_res_open(&w->res, "watch of %s", path);
  return 1;
}

/* handle:take(seconds | nil [, seconds to speak of]) -> name | nil, "rename" | "change" */
static int l_take(lua_State *L) {
  watch *w = it_res_check(L, 1, &watch_class);
  lua_Number seconds = luaL_optnumber(L, 2, -1), all = luaL_optnumber(L, 3, seconds);
  watch_op *o = it_op_new(L, sizeof *o, &next_class);
  o->w = w;
  o->seconds = all;
  it_res_ref(&w->res);
  it_op_detail(&o->op, "%s", w->res.label);
  if (take(o)) {
    it_op_done(&o->op);
    return it_await(L, &o->op);
  }
  watch_op **last = &w->waits;
  while (*last) last = &(*last)->next;
  o->link = last;
  *last = o;
  if (seconds >= 0) {
    o->timer = it_timer_new(w->res.st, late, o);
    it_timer_set(o->timer, (int64_t)(seconds * 1000 + 0.5));
  }
  return it_await(L, &o->op);
}

void fs_watch_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"take", l_take}, {NULL, NULL}};
  it_res_register(L, &watch_class, methods);
  lua_pushcfunction(L, l_watch);
  lua_setfield(L, -2, "watch");
}
