/*
 * ipc.h - what a worker and its supervisor share.
 *
 * Commands go down a socket, one a line: a letter and JSON.
 *   O{…}   the settings of the run, first
 *   R"…"   run this file
 *   E      no more files will come
 *   Q      start no more tests
 *   S      cancel what runs as well (the end of the stream means the same)
 * Events come up another, a JSON line each. They are collected in memory that both have mapped, and written when there are
 * many, before the worker waits and at the end of a file. What a dead worker did not write is still in that memory: the
 * supervisor knows from `written` and from what it received where to go on. The same holds for what tests print.
 */
#ifndef ITLUA_IPC_H
#define ITLUA_IPC_H

#include "../core/core.h"

enum { IT_FD_COMMANDS = 3, IT_FD_EVENTS = 4, IT_FD_SHARED = 5, IT_FD_OUTPUT = 6 };

/* How the program is started as a worker: argv[1]. */
#define IT_WORKER_ARGUMENT "--itlua-worker"

typedef struct it_shared {
  it_beat beat;
  _Atomic uint64_t written;     /* bytes of the stream of events that are in the socket */
  _Atomic uint32_t fill;        /* bytes after those, in `events` */
  _Atomic uint32_t output_fill; /* bytes that tests printed and no event has told of, in `output` */
  _Atomic uint32_t reading;     /* more is being read behind them, where it was all zeros before */
  char file[1024];              /* whose code runs, or ran last */
  char events[64 << 10];
  char output[64 << 10];
} it_shared;

#endif
