/*
 * process_life.c - a child process from uv_spawn to its end, without Lua. The phases are in process.h.
 *
 * It leads a session and group of its own, and every signal goes to the group. Its end is the group's: whoever is left gets
 * half a second to follow. Pipes, not libuv's sockets: programs open /dev/stdout. Output is always read, so a chatty child
 * never blocks; the newest bytes are kept. The memory lives until the last libuv handle was closed.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* Milliseconds: for the rest of the group after its leader, between looks at it, and for output that an outsider holds. */
enum { FOLLOW = 500, LOOK = 10, AFTER_KILL = 200, DRAIN = 200 };

typedef struct process_write {
  uv_write_t request;
  process *p;
  it_op *op;
  char *data;
} process_write;

/* ---- closing ---- */

static void handle_gone(process *p) {
  if (--p->handles > 0) return;
  it_state *st = p->res.st;
  it_res_unref(&p->res);
  it_drop(st);
}

static void process_closed(uv_handle_t *h) { handle_gone(h->data); }
static void pipe_closed(uv_handle_t *h) { handle_gone(((process_stream *)h->data)->of); }

static void stream_close(process_stream *s) {
  if (!s->open) return;
  s->open = false;
  uv_close((uv_handle_t *)&s->pipe, pipe_closed);
}

/* Takes over our end of a pipe. */
static void stream_open(process *p, process_stream *s, int fd) {
  s->of = p;
  if (fd < 0) {
    s->eof = true;
    return;
  }
  uv_pipe_init(it_loop(p->res.st), &s->pipe, 0);
  s->pipe.data = s;
  s->open = true;
  p->handles++;
  uv_pipe_open(&s->pipe, fd);
}

/* ---- the end ---- */

static void finish(process *p) {
  p->phase = FINISHED;
  it_timer_free(p->timer);
  p->timer = NULL;
  stream_close(&p->in);
  for (int i = 0; i < 2; i++) {
    stream_close(&p->out[i]);
    p->out[i].eof = true;
  }
  process_serve(p);
  it_res_close(&p->res);
  handle_gone(p);
}

static void drain(process *p) {
  process_guard_remove(p->pid);
  p->phase = DRAINING;
  if (p->out[0].eof && p->out[1].eof) finish(p);
  else it_timer_set(p->timer, DRAIN);
}

static void look(process *p) {
  uint64_t now = it_now();
  if (!process_group_alive(p->pid) || now > p->kill_at + AFTER_KILL * UINT64_C(1000000)) {
    drain(p);
    return;
  }
  if (now >= p->kill_at) kill(-p->pid, SIGKILL);
  it_timer_set(p->timer, LOOK);
}

static void tick(void *data) {
  process *p = data;
  if (p->phase == DRAINING) finish(p);
  else look(p);
}

static void exited(uv_process_t *handle, int64_t code, int signal) {
  process *p = handle->data;
  p->ended = it_now();
  p->code = signal ? 128 + signal : code;
  p->signal = signal;
  p->phase = LINGERING;
  uv_close((uv_handle_t *)handle, process_closed);
  p->timer = it_timer_new(p->res.st, tick, p);
  /* While somebody is in the group its number is not given to others; so look now, not later. */
  if (process_group_alive(p->pid)) {
    kill(-p->pid, p->res.open ? SIGTERM : SIGKILL);
    p->kill_at = p->ended + (p->res.open ? FOLLOW * UINT64_C(1000000) : 0);
  }
  look(p);
}

void process_kill(process *p, int signal) {
  if (p->phase == RUNNING || p->phase == LINGERING) kill(-p->pid, signal);
}

static void res_close(it_res *res) {
  process *p = (process *)res;
  process_kill(p, SIGKILL);
  p->kill_at = it_now();
}

static void res_free(it_res *res) {
  process *p = (process *)res;
  for (int i = 0; i < 2; i++) it_buf_free(&p->out[i].data);
  free(p);
}

const it_res_class process_class = {"itlua.process", res_close, res_free, false};

/* ---- output ---- */

static char scratch[65536]; /* between a pipe's two callbacks, on the loop's thread */

static void give_room(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
  (void)h;
  (void)suggested;
  *buf = uv_buf_init(scratch, sizeof scratch);
}

/* Keeps to the limit: `run` gives up, a handle forgets the oldest half. */
static void limit(process *p, process_stream *s) {
  if (s->data.size <= p->limit) return;
  if (p->strict) {
    s->data.size = p->limit;
    if (!p->overflow) process_kill(p, SIGKILL);
    p->overflow = true;
    return;
  }
  size_t n = s->data.size - p->limit / 2;
  memmove(s->data.data, s->data.data + n, s->data.size - n + 1);
  s->data.size -= n;
  s->gone += n;
  if (n > s->read) s->dropped += n - s->read;
  s->read = n > s->read ? 0 : s->read - n;
  s->scanned = 0;
}

static void came(uv_stream_t *h, ssize_t n, const uv_buf_t *buf) {
  process_stream *s = h->data;
  process *p = s->of;
  if (n > 0) {
    it_buf_add(&s->data, buf->base, (size_t)n);
    limit(p, s);
  } else if (n < 0) {
    s->eof = true;
    stream_close(s);
  }
  process_serve(p);
  if (p->phase == DRAINING && p->out[0].eof && p->out[1].eof) finish(p);
}

/* ---- input ---- */

static void written(uv_write_t *request, int status) {
  process_write *w = (process_write *)request;
  process *p = w->p;
  if (w->op && status == 0) it_op_done(w->op);
  else if (w->op)
    it_op_fail(w->op, "process", uv_err_name(status), "%s reads no more input: %s", p->res.label,
               uv_strerror(status));
  free(w->data);
  free(w);
  if (--p->writes == 0 && p->close_input) stream_close(&p->in);
}

process_write *process_write_start(process *p, const char *data, size_t size, it_op *op) {
  process_write *w = it_alloc(sizeof *w);
  w->p = p;
  w->op = op;
  w->data = it_memdup(data, size);
  uv_buf_t buf = {.base = w->data, .len = size};
  p->writes++;
  int rc = uv_write(&w->request, (uv_stream_t *)&p->in.pipe, &buf, 1, written);
  if (rc != 0) written(&w->request, rc);
  return rc == 0 ? w : NULL;
}

void process_write_forget(process_write *w) { w->op = NULL; }

void process_close_input(process *p) {
  p->close_input = true;
  if (p->writes == 0) stream_close(&p->in);
}

/* ---- the start ---- */

static void close_all(const int *fds, int n) {
  for (int i = 0; i < n; i++)
    if (fds[i] >= 0) close(fds[i]);
}

/* ours[i], theirs[i]: the ends of stream i's pipe, or -1. */
static int make_pipes(const process_plan *plan, int ours[3], int theirs[3]) {
  for (int i = 0; i < 3; i++) ours[i] = theirs[i] = -1;
  for (int i = 0; i < 3; i++) {
    int fds[2];
    if ((i == 0 && !plan->with_stdin) || (i == 2 && plan->merge)) continue;
    int rc = uv_pipe(fds, i == 0 ? 0 : UV_NONBLOCK_PIPE, i == 0 ? UV_NONBLOCK_PIPE : 0);
    if (rc != 0) {
      close_all(ours, 3);
      close_all(theirs, 3);
      return rc;
    }
    ours[i] = fds[i == 0 ? 1 : 0];
    theirs[i] = fds[i == 0 ? 0 : 1];
  }
  return 0;
}

int process_spawn(process *p, const process_plan *plan) {
  int ours[3], theirs[3], rc = make_pipes(plan, ours, theirs);
  if (rc != 0) return rc;
  uv_stdio_container_t stdio[3];
  for (int i = 0; i < 3; i++) {
    stdio[i].flags = theirs[i] < 0 && i != 2 ? UV_IGNORE : UV_INHERIT_FD;
    stdio[i].data.fd = i == 2 && plan->merge ? theirs[1] : theirs[i];
  }
  uv_process_options_t options = {.exit_cb = exited,
                                  .file = plan->command[0],
                                  .args = plan->command,
                                  .env = plan->environment,
                                  .cwd = plan->cwd,
                                  .flags = UV_PROCESS_DETACHED,
                                  .stdio_count = 3,
                                  .stdio = stdio};
  p->handle.data = p;
  p->handles = 1;
  it_hold(p->res.st);
  it_res_ref(&p->res);
  p->started = it_now();
  rc = uv_spawn(it_loop(p->res.st), &p->handle, &options);
  close_all(theirs, 3);
  if (rc != 0) {
    close_all(ours, 3);
    p->phase = FINISHED;
    uv_close((uv_handle_t *)&p->handle, process_closed);
    return rc;
  }
  p->handles++;
  p->pid = uv_process_get_pid(&p->handle);
  process_guard_add(p->pid);
  stream_open(p, &p->in, ours[0]);
  for (int i = 0; i < 2; i++) {
    stream_open(p, &p->out[i], ours[1 + i]);
    if (p->out[i].open) uv_read_start((uv_stream_t *)&p->out[i].pipe, give_room, came);
  }
  if (plan->input) process_write_start(p, plan->input, plan->input_size, NULL);
  if (plan->input) process_close_input(p);
  return 0;
}
