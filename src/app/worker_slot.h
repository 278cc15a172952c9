/* worker_slot.h - what a worker consists of, for the two files that it is written in: worker.c and worker_lua.c. */
#ifndef ITLUA_WORKER_SLOT_H
#define ITLUA_WORKER_SLOT_H

#include "channel.h"
#include "worker.h"

typedef struct it_file {
  struct it_file *next;
  char *path;
} it_file;

typedef struct it_slot { /* a state that runs files */
  struct it_slot *next;
  it_worker *worker;
  it_state *st;
  it_task *main;
  it_op *taker;   /* waits for a file */
  it_op *stopper; /* waits for the word that nothing more is to start */
  it_file *own;   /* isolated: its file, until taken */
  char *taken;    /* a file between `take` and its file_start */
  char *running;  /* a file between its file_start and file_end */
  it_account account;
  bool ended;
} it_slot;

struct it_worker {
  it_sched *sched;
  it_worker_emit emit;
  void *data;
  lua_State *control; /* decodes commands */
  char *settings;
  size_t settings_size;
  bool isolated, no_more, quitting, stopping;
  uint64_t output_limit;
  it_file *files; /* not isolated: waiting for their turn */
  it_slot *slots;
  it_buf line;
};

void it_file_free(it_file *f); /* NULL is fine */

/* worker_lua.c */
void it_slot_push_functions(lua_State *L, it_slot *s); /* take, emit, stopped */
void it_slot_wake(it_slot *s);                         /* a file came, or none will */
void it_slot_stop(it_slot *s);                         /* nothing more is to start */

#endif
