/* process.h - what the files of the process binding share. */
#ifndef ITLUA_PROCESS_H
#define ITLUA_PROCESS_H

#include <uv.h>

#include "itlua.h"

typedef struct process process;

/* One of a process's three streams: our end of its pipe, and for output what came through it. */
typedef struct process_stream {
  uv_pipe_t pipe;
  process *of;
  it_buf data;    /* the newest `limit` bytes at most */
  size_t read;    /* handed out as lines or chunks */
  size_t scanned; /* known to hold no line end, from `read` */
  size_t dropped; /* unread bytes that had to go */
  uint64_t gone;  /* bytes that had to go, read or not */
  bool open, eof;
} process_stream;

/* RUNNING until its leader is reaped, LINGERING while others of its group live, DRAINING while somebody outside the group
 * holds its output open, FINISHED: nothing will change any more. */
enum process_phase { RUNNING, LINGERING, DRAINING, FINISHED };

struct process {
  it_res res; /* open while it is not FINISHED; keeps its memory and output afterwards */
  uv_process_t handle;
  process_stream in, out[2]; /* out: stdout, stderr */
  struct process_wait *waits;
  it_timer *timer; /* of LINGERING and DRAINING */
  enum process_phase phase;
  int pid, signal;
  int64_t code;
  uint64_t started, ended, kill_at;
  size_t limit; /* of each output */
  int handles;  /* libuv's, not closed yet, and one until it is FINISHED */
  int writes;
  bool close_input, strict, overflow;
};

enum process_want { WANT_LINE, WANT_CHUNK, WANT_AFTER, WANT_END };

/* Starts it: the options' pieces are checked, the arrays end with NULL. 0 or a libuv error. */
typedef struct process_plan {
  char **command, **environment; /* environment NULL: ours */
  const char *cwd;
  const char *input; /* written, then stdin is closed; NULL: none */
  size_t input_size;
  bool with_stdin, merge;
} process_plan;
int process_spawn(process *p, const process_plan *plan);
/* To the whole group. */
void process_kill(process *p, int signal);
void process_close_input(process *p);
/* Queues a copy; `op` (or NULL) ends when it was written. Returns what to forget when the op is cancelled. */
struct process_write *process_write_start(process *p, const char *data, size_t size, it_op *op);
void process_write_forget(struct process_write *w);
/* Ends the waits that can be ended. */
void process_serve(process *p);

extern const it_res_class process_class;

/* process_group.c */
bool process_group_alive(int group);
/* process_guard.c: a helper process that outlives us and kills the groups that are still registered when we are gone. */
void process_guard_add(int pid);
void process_guard_remove(int pid);
/* A temporary folder, which it removes too; with `keep` not any more. */
void process_guard_folder(const char *path, bool keep);

int process_start(lua_State *L);
int luaopen_itlua_process_core(lua_State *L);

#endif
