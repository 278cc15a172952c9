/*
 * supervisor.c - worker processes as resources of the command line's state: start, send, next, kill, beat.
 *
 *   w = worker(number, keeps_stdin)   w:send(letter, value)   event = w:next()  or  nil, how it ended
 *
 * The process is the program itself (exec'ed, never forked), with the descriptors of ipc.h. Its events are decoded one at a
 * time as they are asked for. When it has ended, whatever it had written, collected or printed and not yet told is still
 * there: the socket is read empty, then the shared memory from where the socket stopped, then the pipe of its output.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame.h"
#include "ipc.h"
#include "platform.h"
#include "system.h"

typedef struct worker {
  it_res res;
  uv_process_t process;
  uv_pipe_t commands, events;
  it_shared *shared;
  int output; /* the pipe's other end: read when the worker cannot any more */
  it_frames frames;
  uint64_t received;
  it_op *waiter;
  char mark[64];  /* "ITLUA_WORKER=…" in its environment: what it starts inherits it */
  it_buf printed; /* what it printed last and no event told of */
  int64_t code;
  int signal;
  uint64_t hung_up; /* when it closed its end of the events, 0: not yet */
  bool spawned, ended, garbage, deserted;
} worker;

static const uint64_t DESERTED =
    1000000000u; /* a process ends so soon after it closed its descriptors */

/* ---- what comes in ---------------------------------------------------------------------------------------------------- */

static void wake(worker *w) {
  it_op *op = w->waiter;
  w->waiter = NULL;
  if (op) it_op_done(op);
}

static void take(worker *w, const char *data, size_t size) {
  it_frames_add(&w->frames, data, size);
  w->received += size;
  if (it_frames_rest(&w->frames) > IT_FRAME_LIMIT && !memchr(data, '\n', size)) {
    w->garbage = true;
    it_kill_tree(w->process.pid);
  }
}

static void read_rest(worker *w) {
  uv_os_fd_t fd;
  char piece[16 << 10];
  if (uv_fileno((uv_handle_t *)&w->events, &fd) != 0) return;
  for (;;) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n > 0) take(w, piece, (size_t)n);
    else if (n == 0 || errno != EINTR) return;
  }
}

static void read_shared(worker *w) {
  const it_shared *s = w->shared;
  uint64_t written = atomic_load(&s->written), fill = atomic_load(&s->fill);
  if (fill > sizeof s->events || w->received < written || w->received - written > fill) return;
  uint64_t skip = w->received - written;
  take(w, s->events + skip, (size_t)(fill - skip));
}

static void read_output(worker *w) {
  char piece[16 << 10];
  const it_shared *s = w->shared;
  size_t fill = atomic_load(&s->output_fill);
  if (fill > sizeof s->output) fill = 0;
  if (atomic_load(&s->reading)) { /* up to the last byte that is no zero any more */
    size_t end = sizeof s->output;
    while (end > fill && s->output[end - 1] == 0) end--;
    fill = end;
  }
  it_buf_add(&w->printed, s->output, fill);
  for (ssize_t n; w->printed.size < (1 << 20) && (n = read(w->output, piece, sizeof piece)) > 0;)
    it_buf_add(&w->printed, piece, (size_t)n);
}

static void process_ended(uv_process_t *process, int64_t code, int number) {
  worker *w = process->data;
  w->code = code;
  w->signal = number;
  if (code || number) it_kill_orphans(w->mark);
  uv_read_stop((uv_stream_t *)&w->events);
  read_rest(w);
  read_shared(w);
  read_output(w);
  w->ended = true;
  wake(w);
}

static void piece_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char piece[64 << 10];
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init(piece, sizeof piece);
}

static void piece_came(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf) {
  worker *w = stream->data;
  if (size < 0) {
    uv_read_stop(stream); /* its process is ending, or see l_beat */
    w->hung_up = it_now();
  } else if (size > 0) {
    take(w, buf->base, (size_t)size);
    if (memchr(buf->base, '\n', (size_t)size)) wake(w);
  }
}

/* ---- next ------------------------------------------------------------------------------------------------------------- */

static void push_reason(lua_State *L, const worker *w) {
  if (w->garbage) lua_pushliteral(L, "a message that is no event");
  else if (w->deserted) lua_pushliteral(L, "its descriptors for itlua closed");
  else if (w->signal) lua_pushfstring(L, "signal %d (%s)", w->signal, strsignal(w->signal));
  else lua_pushfstring(L, "exit code %d", (int)w->code);
}

/* nil, {reason, signal, code, file, output} */
static int push_end(lua_State *L, worker *w) {
  lua_pushnil(L);
  lua_createtable(L, 0, 6);
  push_reason(L, w);
  lua_setfield(L, -2, "reason");
  lua_pushinteger(L, w->signal);
  lua_setfield(L, -2, "signal");
  lua_pushinteger(L, (lua_Integer)w->code);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, w->shared->file);
  lua_setfield(L, -2, "file");
  lua_pushboolean(L, atomic_load(&w->shared->beat.step_started) != 0);
  lua_setfield(L, -2, "in_step");
  lua_pushlstring(L, w->printed.data ? w->printed.data : "", w->printed.size);
  lua_setfield(L, -2, "output");
  return 2;
}

/* Pushes the next event if there is one. */
static bool push_event(lua_State *L, worker *w) {
  size_t size;
  const char *line;
  while (!w->garbage && (line = it_frames_next(&w->frames, &size))) {
    if (!it_frame_decode(L, line, size)) {
      if (lua_istable(L, -1)) return true;
      lua_pop(L, 1);
    }
    w->garbage = true;
    if (!w->ended) it_kill_tree(w->process.pid);
  }
  return false;
}

typedef struct next_op {
  it_op op;
  worker *worker;
} next_op;

static int next_push(lua_State *L, it_op *op) {
  worker *w = ((next_op *)op)->worker;
  if (push_event(L, w)) return 1;
  if (w->ended) return push_end(L, w);
  lua_pushboolean(L, 0); /* the caller asks again */
  return 1;
}

static bool next_cancel(it_op *op) {
  worker *w = ((next_op *)op)->worker;
  if (w->waiter == op) w->waiter = NULL;
  return true;
}

static void next_free(it_op *op) {
  it_res_unref(&((next_op *)op)->worker->res);
  free(op);
}

static const it_op_class next_class = {"worker.next", next_push, next_cancel, next_free};

static const it_res_class worker_class;

static worker *check(lua_State *L) { return it_res_check(L, 1, &worker_class); }

/* next() -> event | false (ask again) | nil, how it ended */
static int l_next(lua_State *L) {
  worker *w = check(L);
  if (push_event(L, w)) return 1;
  if (w->ended) return push_end(L, w);
  fflush(stdout); /* what was printed is seen before waiting */
  next_op *op = it_op_new(L, sizeof *op, &next_class);
  op->worker = w;
  it_res_ref(&w->res);
  w->waiter = &op->op;
  return it_await(L, &op->op);
}

/* ---- send, kill, beat ------------------------------------------------------------------------------------------------- */

typedef struct message {
  uv_write_t request;
  it_buf text;
} message;

static void sent(uv_write_t *request, int status) {
  (void)status; /* that it is dead is heard elsewhere */
  message *m = request->data;
  it_buf_free(&m->text);
  free(m);
}

/* send(letter [, value]) */
static int l_send(lua_State *L) {
  worker *w = check(L);
  it_buf text = {0};
  it_buf_add(&text, luaL_checkstring(L, 2), 1);
  if (lua_isnoneornil(L, 3)) it_buf_add(&text, "\n", 1);
  else it_frame_encode(L, 3, &text);
  if (w->ended) {
    it_buf_free(&text);
    return 0;
  }
  message *m = it_alloc(sizeof *m);
  m->text = text;
  m->request.data = m;
  uv_buf_t buf = uv_buf_init(m->text.data, (unsigned)m->text.size);
  if (uv_write(&m->request, (uv_stream_t *)&w->commands, &buf, 1, sent) != 0) sent(&m->request, 0);
  return 0;
}

/* kill() */
static int l_kill(lua_State *L) {
  const worker *w = check(L);
  if (!w->ended) it_kill_tree(w->process.pid);
  return 0;
}

/* beat() -> step | nil, seconds it has been running, seconds past its deadline | nil, file */
static int l_beat(lua_State *L) {
  worker *w = check(L);
  if (w->hung_up && !w->ended && !w->deserted && it_now() - w->hung_up > DESERTED) {
    w->deserted =
        true; /* a spec closed what it did not open: nothing will ever be heard of it again */
    it_kill_tree(w->process.pid);
  }
  uint64_t step = atomic_load(&w->shared->beat.step_started), now = it_now();
  uint64_t deadline = atomic_load(&w->shared->beat.deadline);
  if (w->ended || step == 0 || step > now) return lua_pushnil(L), 1;
  lua_pushinteger(L, (lua_Integer)step);
  lua_pushnumber(L, (double)(now - step) / 1e9);
  if (deadline && now > deadline) lua_pushnumber(L, (double)(now - deadline) / 1e9);
  else lua_pushnil(L);
  lua_pushstring(L, w->shared->file);
  return 4;
}

/* ---- the resource ----------------------------------------------------------------------------------------------------- */

static void handle_closed(uv_handle_t *handle) {
  worker *w = handle->data;
  it_drop(w->res.st);
  it_res_unref(&w->res);
}

static void hold_handle(worker *w, uv_handle_t *handle) {
  handle->data = w;
  it_hold(w->res.st);
  it_res_ref(&w->res);
}

static void close_worker(it_res *res) {
  worker *w = (worker *)res;
  if (w->spawned && !w->ended) it_kill_tree(w->process.pid);
  uv_close((uv_handle_t *)&w->process, handle_closed);
  uv_close((uv_handle_t *)&w->commands, handle_closed);
  uv_close((uv_handle_t *)&w->events, handle_closed);
}

static void free_worker(it_res *res) {
  worker *w = (worker *)res;
  if (w->shared) munmap(w->shared, sizeof *w->shared);
  if (w->output > 0) close(w->output);
  it_frames_free(&w->frames);
  it_buf_free(&w->printed);
  free(w);
}

static const it_res_class worker_class = {"itlua.worker", close_worker, free_worker, true};

/* Descriptors that only the start needs. */
typedef struct start {
  int shared, print;
  const char *failed;
} start;

static void prepare(worker *w, start *s) {
  int pipe_ends[2];
  s->shared = s->print = -1;
  s->shared = it_memory_file("itlua-worker", sizeof(it_shared));
  if (s->shared < 0) {
    s->failed = "no shared memory";
    return;
  }
  void *p = mmap(NULL, sizeof(it_shared), PROT_READ | PROT_WRITE, MAP_SHARED, s->shared, 0);
  if (p == MAP_FAILED || pipe2(pipe_ends, O_CLOEXEC) != 0) {
    if (p != MAP_FAILED) munmap(p, sizeof(it_shared));
    s->failed = "no shared memory or pipe";
    return;
  }
  w->shared = p;
  w->output = pipe_ends[0];
  s->print = pipe_ends[1];
  fcntl(w->output, F_SETFL, O_NONBLOCK);
}

/* This very program, even when its file was replaced meanwhile. Under valgrind that name is valgrind's own program. */
static const char *own_program(void) {
  static char path[4096] = "/proc/self/exe";
  const char *preload = getenv("LD_PRELOAD");
  size_t size = sizeof path;
  if (access(path, X_OK) != 0 || (preload && strstr(preload, "vgpreload"))) uv_exepath(path, &size);
  return path;
}

static int spawn(worker *w, const start *s, const char *number, bool keeps_stdin) {
  static char name[] = "itlua", argument[] = IT_WORKER_ARGUMENT;
  char *args[] = {name, argument, it_strdup(number), NULL};
  uv_stdio_container_t fds[7] = {{.flags = UV_IGNORE}};
  if (keeps_stdin) fds[0].flags = UV_INHERIT_FD;
  for (int fd = 1; fd <= 6; fd++) fds[fd].flags = UV_INHERIT_FD;
  snprintf(w->mark, sizeof w->mark, "ITLUA_WORKER=%d.%s", (int)getpid(), number);
  fds[0].data.fd = 0;
  fds[1].data.fd = fds[2].data.fd = s->print;
  fds[IT_FD_COMMANDS].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
  fds[IT_FD_COMMANDS].data.stream = (uv_stream_t *)&w->commands;
  fds[IT_FD_EVENTS].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  fds[IT_FD_EVENTS].data.stream = (uv_stream_t *)&w->events;
  fds[IT_FD_SHARED].data.fd = s->shared;
  fds[IT_FD_OUTPUT].data.fd = w->output;
  uv_process_options_t options = {.file = own_program(),
                                  .args = args,
                                  .env = it_environment_with(w->mark),
                                  .exit_cb = process_ended,
                                  .stdio = fds,
                                  .stdio_count = 7};
  int rc = uv_spawn(it_loop(w->res.st), &w->process, &options);
  free(args[2]);
  free(options.env);
  return rc;
}

/* worker(number, keeps_stdin) -> worker */
static int l_worker(lua_State *L) {
  const char *number = luaL_checkstring(L, 1);
  bool keeps_stdin = lua_toboolean(L, 2);
  worker *w = it_res_new(L, sizeof *w, &worker_class);
  struct uv_loop_s *loop = it_loop(w->res.st);
  start s = {0};
  prepare(w, &s);
  uv_pipe_init(loop, &w->commands, 0);
  uv_pipe_init(loop, &w->events, 0);
  int rc = s.failed ? 0 : spawn(w, &s, number, keeps_stdin);
  if (s.failed) uv_prepare_init(loop, (uv_prepare_t *)&w->process); /* something to close */
  hold_handle(w, (uv_handle_t *)&w->process);
  hold_handle(w, (uv_handle_t *)&w->commands);
  hold_handle(w, (uv_handle_t *)&w->events);
  if (s.shared >= 0) close(s.shared);
  if (s.print >= 0) close(s.print);
  w->spawned = !s.failed && rc == 0;
  it_res_open(&w->res, "worker %s", number);
  if (!w->spawned) {
    it_res_close(&w->res);
    it_raise(L, "process", rc ? uv_err_name(rc) : NULL, "a worker process cannot be started: %s",
             rc ? uv_strerror(rc) : s.failed);
  }
  uv_read_start((uv_stream_t *)&w->events, piece_wanted, piece_came);
  return 1;
}

void it_supervisor_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"next", l_next}, {"send", l_send}, {"kill", l_kill}, {"beat", l_beat}, {NULL, NULL}};
  it_res_register(L, &worker_class, methods);
  lua_pushcfunction(L, l_worker);
  lua_setfield(L, -2, "worker");
}
