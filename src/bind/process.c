/*
 * process.c - itlua.process.core: child processes on libuv. lua/itlua/process.lua is what specs see.
 *
 *   start(command, options) -> process    methods: wait, read, follow, write, close_input, signal, output, result, pid
 *   self() -> path of the running program
 *
 * The life of a process is process_life.c, its start process_start.c; here is what Lua asks of it then. Who waits for it is in its list of waits, which
 * its events end.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

/* A wait for a line, for some bytes, for what comes after a position, or for the end. */
typedef struct process_wait {
  it_op op;
  process *p;
  struct process_wait *next, **link; /* link NULL: in no list */
  enum process_want want;
  process_stream *stream;
  it_timer *timer;
  double seconds;
  char *data; /* what was read; NULL at the end of the stream */
  size_t size, dropped;
  uint64_t from, gap; /* of a follower: up to where it has read, what was gone before it could */
} process_wait;

/* ---- waits ---- */

static void leave_list(process_wait *w) {
  if (!w->link) return;
  if ((*w->link = w->next)) w->next->link = w->link;
  w->link = NULL;
}

/* What a follower reads stays unread for the others. */
static bool ready_after(process_wait *w) {
  const process_stream *s = w->stream;
  uint64_t end = s->gone + s->data.size;
  if (w->from >= end) return s->eof;
  if (w->from < s->gone) {
    w->gap = s->gone - w->from;
    w->from = s->gone;
  }
  w->size = (size_t)(end - w->from);
  w->data = it_memdup(s->data.data + (w->from - s->gone), w->size);
  w->from = end;
  return true;
}

/* The wait's result is taken here, on the loop: of two waits for a line each gets its own. */
static bool ready(process_wait *w) {
  process_stream *s = w->stream;
  if (w->want == WANT_END) return w->p->phase == FINISHED;
  if (w->want == WANT_AFTER) return ready_after(w);
  size_t have = s->data.size - s->read, n = have;
  const char *from = have > 0 ? s->data.data + s->read : NULL;
  if (w->want == WANT_LINE && have > 0) {
    const char *end = memchr(from + s->scanned, '\n', have - s->scanned);
    if (end) n = (size_t)(end - from);
    else s->scanned = have;
    if (!end && !s->eof) return false;
  }
  if (have == 0 && !s->eof) return false;
  w->dropped = s->dropped;
  if (w->dropped == 0 && have > 0) {
    w->data = it_memdup(from, n);
    w->size = n;
    s->read += n < have && w->want == WANT_LINE ? n + 1 : n;
    s->scanned = 0;
  }
  s->dropped = 0;
  return true;
}

void process_serve(process *p) {
  for (process_wait *w = p->waits, *next; w; w = next) {
    next = w->next;
    if (!ready(w)) continue;
    leave_list(w);
    it_op_done(&w->op);
  }
}

static void tail(const process *p, it_buf *b) {
  for (int i = 0; i < 2; i++) {
    const it_buf *data = &p->out[i].data;
    size_t n = data->size < 400 ? data->size : 400;
    if (n == 0) continue;
    it_buf_addf(b, "\n    %s%s:\n", n < data->size ? "the last of " : "",
                i == 0 ? "stdout" : "stderr");
    it_buf_add(b, data->data + data->size - n, n);
  }
}

static void late(void *data) {
  process_wait *w = data;
  process *p = w->p;
  if (!w->link) return; /* it has ended, but its task had no turn yet */
  it_buf b = {0};
  it_buf_add(&b, "", 0);
  tail(p, &b);
  leave_list(w);
  if (w->want == WANT_END)
    it_op_fail(&w->op, "timeout", "PROCESS", "%s has not ended after %.6g s%s", p->res.label,
               w->seconds, b.data);
  else
    it_op_fail(&w->op, "timeout", "PROCESS", "%s has printed no %s on %s for %.6g s%s",
               p->res.label, w->want == WANT_LINE ? "further line" : "more",
               w->stream == p->out ? "stdout" : "stderr", w->seconds, b.data);
  it_buf_free(&b);
}

static void push_result(lua_State *L, const process *p) {
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, (lua_Integer)p->code);
  lua_setfield(L, -2, "code");
  if (p->signal) {
    lua_pushinteger(L, p->signal);
    lua_setfield(L, -2, "signal");
  }
  lua_pushnumber(L, (lua_Number)(p->ended - p->started) / 1e9);
  lua_setfield(L, -2, "seconds");
}

static int wait_push(lua_State *L, it_op *op) {
  process_wait *w = (process_wait *)op;
  if (w->want == WANT_END) {
    if (w->p->signal) it_op_outcome(op, "signal %d", w->p->signal);
    else it_op_outcome(op, "exit %d", (int)w->p->code);
    push_result(L, w->p);
    return 1;
  }
  if (w->dropped)
    it_raise(L, "process", "LOST",
             "%zu bytes of output of %s were lost: nobody read them in time (option max_output)",
             w->dropped, w->p->res.label);
  if (w->data) lua_pushlstring(L, w->data, w->size);
  else lua_pushnil(L);
  if (w->want != WANT_AFTER) return 1;
  lua_pushinteger(L, (lua_Integer)w->from);
  lua_pushinteger(L, (lua_Integer)w->gap);
  return 3;
}

static bool wait_cancel(it_op *op) {
  leave_list((process_wait *)op);
  return true;
}

static void wait_free(it_op *op) {
  process_wait *w = (process_wait *)op;
  leave_list(w);
  it_timer_free(w->timer);
  it_res_unref(&w->p->res);
  free(w->data);
  free(w);
}

static const it_op_class wait_class = {"process.wait", wait_push, wait_cancel, wait_free};
static const it_op_class read_class = {"process.read", wait_push, wait_cancel, wait_free};

static process *check(lua_State *L) { /* also one that has ended: its output stays */
  return *(process **)luaL_checkudata(L, 1, process_class.name);
}

/* p:wait(seconds | nil) -> {code, signal, seconds};  p:read(want, stream, seconds | nil) -> string | nil */
static int await(lua_State *L, process *p, enum process_want want, process_stream *s,
                 lua_Number seconds, uint64_t from) {
  process_wait *w = it_op_new(L, sizeof *w, want == WANT_END ? &wait_class : &read_class);
  w->p = p;
  w->want = want;
  w->stream = s;
  w->seconds = seconds;
  w->from = from;
  it_res_ref(&p->res);
  if (want != WANT_AFTER) it_op_detail(&w->op, "%s", p->res.label);
  w->op.keeps = 1; /* the process, which knows its output */
  w->op.keeps_result = IT_KEEP_RESULT;
  if (ready(w)) {
    it_op_done(&w->op);
    return it_await(L, &w->op);
  }
  process_wait **last = &p->waits;
  while (*last) last = &(*last)->next;
  w->link = last;
  *last = w;
  if (seconds >= 0) {
    w->timer = it_timer_new(p->res.st, late, w);
    it_timer_set(w->timer, (int64_t)(seconds * 1000 + 0.5));
  }
  return it_await(L, &w->op);
}

static lua_Number check_seconds(lua_State *L, int arg) {
  lua_Number seconds = luaL_optnumber(L, arg, -1);
  if (!lua_isnoneornil(L, arg) && !(seconds >= 0 && seconds < 1e9))
    it_usage(L, "a timeout of %f seconds", seconds);
  return seconds;
}

static process_stream *check_stream(lua_State *L, process *p, int arg) {
  static const char *const names[] = {"stdout", "stderr", NULL};
  return &p->out[luaL_checkoption(L, arg, "stdout", names)];
}

static int l_wait(lua_State *L) {
  process *p = check(L);
  return await(L, p, WANT_END, NULL, check_seconds(L, 2), 0);
}

static int l_read(lua_State *L) {
  static const char *const wants[] = {"line", "chunk", NULL};
  process *p = check(L);
  int want = luaL_checkoption(L, 2, "line", wants);
  process_stream *s = check_stream(L, p, 3);
  return await(L, p, want == 0 ? WANT_LINE : WANT_CHUNK, s, check_seconds(L, 4), 0);
}

/* p:follow(stream, position) -> bytes after it | nil at the end, new position, bytes that were gone; without a position where
 * the end is now */
static int l_follow(lua_State *L) {
  process *p = check(L);
  process_stream *s = check_stream(L, p, 2);
  if (lua_isnoneornil(L, 3)) {
    uint64_t end = s->gone + s->data.size;
    lua_pushinteger(L, (lua_Integer)end);
    return 1;
  }
  lua_Integer from = luaL_checkinteger(L, 3);
  return await(L, p, WANT_AFTER, s, -1, from < 0 ? 0 : (uint64_t)from);
}

/* ---- input ---- */

typedef struct input_op {
  it_op op;
  struct process_write *write;
} input_op;

static int input_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static bool input_cancel(it_op *op) {
  process_write_forget(((input_op *)op)->write);
  return true;
}

static void input_free(it_op *op) { free(op); }

static const it_op_class input_class = {"process.write", input_push, input_cancel, input_free};

/* p:write(text): waits until the pipe has taken it */
static int l_write(lua_State *L) {
  size_t size;
  process *p = check(L);
  const char *data = luaL_checklstring(L, 2, &size);
  if (!p->in.open || p->close_input)
    it_raise(L, "process", "EPIPE",
             p->phase == RUNNING ? "the input of %s is closed" : "%s has ended", p->res.label);
  input_op *i = it_op_new(L, sizeof *i, &input_class);
  it_op_detail(&i->op, "%s (%zu B)", p->res.label, size);
  i->write = process_write_start(p, data, size, &i->op);
  return it_await(L, &i->op);
}

static int l_close_input(lua_State *L) {
  process_close_input(check(L));
  return 0;
}

/* ---- the rest of a process ---- */

/* p:signal(number [, leader alone]) -> whether it was still there */
static int l_signal(lua_State *L) {
  process *p = check(L);
  int signal = (int)luaL_checkinteger(L, 2);
  bool there = p->phase == RUNNING;
  if (there && lua_toboolean(L, 3)) kill(p->pid, signal);
  else if (there) process_kill(p, signal);
  lua_pushboolean(L, there);
  return 1;
}

/* p:output(stream) -> text, whether it is not all */
static int l_output(lua_State *L) {
  process *p = check(L);
  const process_stream *s = check_stream(L, p, 2);
  lua_pushlstring(L, s->data.data ? s->data.data : "", s->data.size);
  lua_pushboolean(L, p->overflow);
  return 2;
}

/* p:result() -> {code, signal, seconds} | nil */
static int l_result(lua_State *L) {
  process *p = check(L);
  if (p->phase != FINISHED) return 0;
  push_result(L, p);
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, check(L)->pid);
  return 1;
}

static int l_self(lua_State *L) {
  char path[4096];
  size_t size = sizeof path;
  int rc = uv_exepath(path, &size);
  if (rc != 0)
    it_raise(L, "process", uv_err_name(rc), "cannot tell the path of this program: %s",
             uv_strerror(rc));
  lua_pushlstring(L, path, size);
  return 1;
}

/* guard_folder(path [, keep]): a temporary folder or file is removed when we are killed; with keep, not any more */
static int l_guard_folder(lua_State *L) {
  process_guard_folder(luaL_checkstring(L, 1), lua_toboolean(L, 2));
  return 0;
}

int luaopen_itlua_process_core(lua_State *L) {
  static const luaL_Reg methods[] = {{"wait", l_wait},
                                     {"read", l_read},
                                     {"follow", l_follow},
                                     {"write", l_write},
                                     {"close_input", l_close_input},
                                     {"signal", l_signal},
                                     {"output", l_output},
                                     {"result", l_result},
                                     {"pid", l_pid},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"start", process_start}, {"self", l_self}, {"guard_folder", l_guard_folder}, {NULL, NULL}};
  static const struct {
    const char *name;
    int number;
  } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"ABRT", SIGABRT},
                 {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
                 {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"CONT", SIGCONT},
                 {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"WINCH", SIGWINCH}, {"BUS", SIGBUS},
                 {"FPE", SIGFPE},   {"ILL", SIGILL},   {"TRAP", SIGTRAP},   {"CHLD", SIGCHLD}};
  it_res_register(L, &process_class, methods);
  luaL_newlib(L, functions);
  luaL_getmetatable(L, process_class.name);
  lua_setfield(L, -2, "metatable");
  lua_newtable(L);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    lua_pushinteger(L, signals[i].number);
    lua_setfield(L, -2, signals[i].name);
  }
  lua_setfield(L, -2, "signals");
  return 1;
}
