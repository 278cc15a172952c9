/*
 * worker.c - running spec files: commands in, states that run files, events out.
 *
 * Isolated (a project with an itlua.lua): a file has a state of its own, and several run at the same time. Otherwise one
 * state takes one file after the other until there are no more. Either way the state's main task is lua/itlua/cli/worker.lua,
 * which asks for its files with `take` and tells what happens with `emit`.
 */
#include "worker_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "frame.h"

static const double CLEANUP = 5; /* seconds that a state has to end what it left running */

void it_file_free(it_file *f) {
  if (f) free(f->path);
  free(f);
}

/* ---- states ----------------------------------------------------------------------------------------------------------- */

/* An event that does not come from the state's Lua. */
static void emit_problem(it_worker *w, const char *path, const char *message) {
  it_buf line = {0};
  it_buf_addf(
      &line,
      "{\"ev\":\"problem\",\"kind\":\"error\",\"where\":\"worker\",\"name\":\"\",\"source\":\"itlua\",");
  it_buf_addf(&line, "\"line\":0,\"at_line\":0,\"message\":");
  it_frame_string(&line, message, strlen(message));
  if (path) {
    it_buf_addf(&line, ",\"file\":");
    it_frame_string(&line, path, strlen(path));
  }
  it_buf_addf(&line, "}\n");
  w->emit(w->data, line.data, line.size);
  it_buf_free(&line);
}

static void main_ended(it_task *t, void *data) {
  (void)t;
  ((it_slot *)data)->ended = true;
}

/* run, settings, take, emit, stopped */
static int prepare(lua_State *L) {
  it_slot *s = lua_touserdata(L, 1);
  it_worker *w = s->worker;
  lua_settop(L, 0);
  it_import(L, "itlua.cli.worker");
  const char *wrong = it_frame_decode(L, w->settings, w->settings_size);
  if (wrong) return luaL_error(L, "the settings of the run cannot be read: %s", wrong);
  it_slot_push_functions(L, s);
  return 5;
}

static void start(it_worker *w, it_file *own) {
  it_slot *s = it_alloc(sizeof *s);
  s->worker = w;
  s->own = own;
  s->st = it_state_new(w->sched, own ? own->path : "specs");
  s->account.limit = w->output_limit;
  s->next = w->slots;
  w->slots = s;
  lua_State *L = it_state_lua(s->st);
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
    emit_problem(w, own ? own->path : NULL, lua_tostring(L, -1));
    s->ended = true;
    return;
  }
  s->main = it_spawn(L, 4);
  s->main->refs++;
  s->main->ended = main_ended;
  s->main->data = s;
}

static int describe(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* The runner's own Lua failed, not a spec: whatever it was doing must not look like a success. */
static void report_failure(it_slot *s) {
  lua_State *co = s->main->co, *L = it_state_lua(s->st);
  const char *text = "an error without a message";
  lua_pushcfunction(L, describe);
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) text = lua_tostring(L, -1);
  if (!s->worker->stopping) emit_problem(s->worker, s->running, text);
  s->main->observed = true;
}

/* The supervisor waits for the end of every file that it handed out. */
static void emit_file_end(it_worker *w, const char *path) {
  it_buf line = {0};
  it_buf_addf(&line, "{\"ev\":\"file_end\",\"seconds\":0.0,\"file\":");
  it_frame_string(&line, path, strlen(path));
  it_buf_addf(&line, "}\n");
  w->emit(w->data, line.data, line.size);
  it_buf_free(&line);
  it_channel_flush();
}

static void end_files(it_slot *s) {
  it_worker *w = s->worker;
  if (s->running) it_output_mark(&s->account, NULL, 0);
  if (s->running) emit_file_end(w, s->running);
  if (s->taken) emit_file_end(w, s->taken);
  it_file **left = w->isolated ? &s->own : &w->files;
  while (*left) { /* nobody will take them */
    it_file *f = *left;
    *left = f->next;
    if (!w->stopping) emit_file_end(w, f->path);
    it_file_free(f);
  }
}

static void close_slot(it_slot *s) {
  if (s->main && s->main->failed) report_failure(s);
  it_state_close(s->st, CLEANUP);
  end_files(s);
  it_account_free(&s->account);
  free(s->taken);
  free(s->running);
  free(s);
}

static void close_ended(it_worker *w) {
  for (it_slot **link = &w->slots; *link;) {
    it_slot *s = *link;
    if (!s->ended) {
      link = &s->next;
      continue;
    }
    *link = s->next;
    close_slot(s); /* runs turns of the loop: the list may have changed */
    link = &w->slots;
  }
}

/* One state a turn: the first file has sent its first request before the last one's state is made. */
void it_worker_tend(it_worker *w) {
  close_ended(w);
  if (!w->files || w->stopping) return;
  if (w->isolated) {
    it_file *f = w->files;
    w->files = f->next;
    f->next = NULL;
    start(w, f);
  } else if (!w->slots) {
    start(w, NULL);
  }
}

/* ---- commands --------------------------------------------------------------------------------------------------------- */

/* decode(line, size) -> value, in a lua_State that does nothing else */
static int decode_argument(lua_State *L) {
  const char *wrong = it_frame_decode(L, lua_touserdata(L, 1), (size_t)lua_tointeger(L, 2));
  return wrong ? luaL_error(L, "%s", wrong) : 1;
}

static bool decode(lua_State *L, char *json, size_t size) {
  lua_settop(L, 0);
  lua_pushcfunction(L, decode_argument);
  lua_pushlightuserdata(L, json);
  lua_pushinteger(L, (lua_Integer)size);
  return lua_pcall(L, 2, 1, 0) == LUA_OK;
}

/* The settings go to every state as they came; some are the worker's own. */
static void settle(it_worker *w, const char *json, size_t size) {
  lua_State *L = w->control;
  free(w->settings);
  w->settings = it_memdup(json, size);
  w->settings_size = size;
  if (!decode(L, w->settings, size) || !lua_istable(L, 1)) return;
  lua_getfield(L, 1, "isolated");
  w->isolated = lua_toboolean(L, -1);
  lua_getfield(L, 1, "output_limit");
  w->output_limit = (uint64_t)lua_tointeger(L, -1);
  lua_getfield(L, 1, "live");
  it_output_live(lua_toboolean(L, -1));
}

static void run_file(it_worker *w, const char *json, size_t size) {
  char *copy = it_memdup(json, size);
  bool ok = decode(w->control, copy, size) && lua_isstring(w->control, 1);
  free(copy);
  if (!ok) return;
  it_file *f = it_alloc(sizeof *f), **link = &w->files;
  f->path = it_strdup(lua_tostring(w->control, 1));
  while (*link) link = &(*link)->next;
  *link = f;
}

static void quit(it_worker *w) {
  w->quitting = true;
  for (it_slot *s = w->slots; s; s = s->next) it_slot_stop(s);
}

static void stop(it_worker *w) {
  quit(w); /* first: what is cancelled must not go on to its next test */
  w->stopping = true;
  for (it_slot *s = w->slots; s; s = s->next)
    if (s->main) it_task_cancel(s->main, "interrupted");
}

void it_worker_command(it_worker *w, const char *line, size_t size) {
  if (size == 0) return;
  switch (line[0]) {
  case 'O': settle(w, line + 1, size - 1); break;
  case 'R':
    if (!w->stopping) run_file(w, line + 1, size - 1);
    break;
  case 'E': w->no_more = true; break;
  case 'Q': quit(w); break;
  case 'S': stop(w); break;
  default: break;
  }
  for (it_slot *s = w->slots; s; s = s->next) it_slot_wake(s);
}

/* ---- the worker's life ------------------------------------------------------------------------------------------------ */

static it_worker *running; /* for the scheduler's hooks, which know states only */

static it_slot *slot_of(const it_state *st) {
  it_slot *s = running ? running->slots : NULL;
  while (s && s->st != st) s = s->next;
  return s;
}

static void switched(it_state *st) {
  it_slot *s = slot_of(st);
  it_output_switch(s ? &s->account : NULL);
}

static void blocked(it_state *st, uint64_t nanoseconds) {
  const it_slot *s = slot_of(st);
  if (!s || !s->running) return;
  it_buf line = {0};
  it_buf_addf(&line, "{\"ev\":\"blocked\",\"seconds\":%.3f,\"file\":", (double)nanoseconds / 1e9);
  it_frame_string(&line, s->running, strlen(s->running));
  it_buf_addf(&line, "}\n");
  s->worker->emit(s->worker->data, line.data, line.size);
  it_buf_free(&line);
}

it_worker *it_worker_new(it_sched *sched, it_worker_emit emit, void *data) {
  it_worker *w = it_alloc(sizeof *w);
  w->sched = sched;
  w->emit = emit;
  w->data = data;
  w->control = luaL_newstate();
  if (!w->control) abort();
  sched->switched = switched;
  sched->blocked = blocked;
  running = w;
  return w;
}

bool it_worker_finished(const it_worker *w) {
  return !w->slots && ((w->no_more && !w->files) || w->stopping);
}

void it_worker_free(it_worker *w) {
  stop(w);
  while (w->slots) {
    w->slots->ended = true;
    close_ended(w);
  }
  w->sched->switched = NULL;
  w->sched->blocked = NULL;
  running = NULL;
  while (w->files) {
    it_file *f = w->files;
    w->files = f->next;
    it_file_free(f);
  }
  lua_close(w->control);
  free(w->settings);
  it_buf_free(&w->line);
  free(w);
}
