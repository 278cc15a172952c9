/*
 * worker_main.c - the process that is nothing but a worker: started by the supervisor with the descriptors of ipc.h.
 *
 * It ends when it was told that no more files come, and when the supervisor is gone: then the end of the commands (or the
 * signal that the system sends for the parent's death) stops what runs, and an alarm sees to it that this has an end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "embed.h"
#include "frame.h"
#include "platform.h"
#include "worker.h"

enum { CLEANUP = 6 /* seconds after which an orphan ends, whatever it does */ };

static struct {
  it_worker *worker;
  uv_pipe_t commands;
  it_frames lines;
  char piece[16 << 10];
} process;

static void nothing(int signal) { (void)signal; }

/* The supervisor decides what an interrupt means, and says so; handlers (unlike SIG_IGN) do not outlive an exec. */
static void shut(int signal) {
  (void)signal;
  alarm(CLEANUP);
  shutdown(IT_FD_COMMANDS, SHUT_RD);
}

/* Still not at an end: then with everything that it started. */
static void give_up(int number) {
  signal(number, SIG_DFL);
  alarm(1); /* should even this hang */
  it_kill_tree(getpid());
  _exit(3);
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, NULL);
}

static void emit(void *data, const char *line, size_t size) {
  (void)data;
  it_channel_write(line, size);
}

static void piece_wanted(uv_handle_t *handle_, size_t suggested, uv_buf_t *buf) {
  (void)handle_;
  (void)suggested;
  *buf = uv_buf_init(process.piece, sizeof process.piece);
}

static void piece_came(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf) {
  size_t length;
  if (size < 0) { /* the supervisor is gone */
    uv_read_stop(stream);
    if (!it_worker_finished(process.worker)) alarm(CLEANUP);
    it_worker_command(process.worker, "S", 1);
    return;
  }
  it_frames_add(&process.lines, buf->base, (size_t)size);
  for (const char *line; (line = it_frames_next(&process.lines, &length));)
    it_worker_command(process.worker, line, length);
}

int it_worker_main(void) {
  it_sched sched;
  it_sched_open(&sched, &it_program);
  if (!it_channel_open(&sched.loop, &sched.beat)) {
    fprintf(stderr, "itlua: " IT_WORKER_ARGUMENT
                    " is how itlua starts its own workers; it is not for you\n");
    it_sched_close(&sched);
    return 2;
  }
  handle(SIGINT, nothing);
  handle(SIGPIPE, nothing);
  handle(SIGALRM, give_up);
  handle(SIGTERM, shut);
  handle(SIGHUP, shut);
  it_signal_with_parent(SIGTERM);
  process.worker = it_worker_new(&sched, emit, NULL);
  uv_pipe_init(&sched.loop, &process.commands, 0);
  uv_pipe_open(&process.commands, IT_FD_COMMANDS);
  uv_read_start((uv_stream_t *)&process.commands, piece_wanted, piece_came);
  while (!it_worker_finished(process.worker)) {
    bool alive = it_turn(&sched);
    it_worker_tend(process.worker);
    if (!alive) break;
  }
  it_worker_free(process.worker);
  uv_close((uv_handle_t *)&process.commands, NULL);
  it_channel_close();
  it_frames_free(&process.lines);
  return it_sched_close(&sched) == 0 ? 0 : 4;
}
