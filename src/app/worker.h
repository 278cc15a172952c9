/* worker.h - running spec files: in a process of their own, or (for a debugger) in this one. */
#ifndef ITLUA_WORKER_H
#define ITLUA_WORKER_H

#include "../core/core.h"

typedef struct it_worker it_worker;

/* What a worker has to say: one line. */
typedef void (*it_worker_emit)(void *data, const char *line, size_t size);

it_worker *it_worker_new(it_sched *sched, it_worker_emit emit, void *data);
/* One command of ipc.h, without its '\n'. */
void it_worker_command(it_worker *w, const char *line, size_t size);
/* Makes states for files that came, closes states that have ended. To be called between turns of the loop. */
void it_worker_tend(it_worker *w);
/* It was told that there is no more, and all has ended. */
bool it_worker_finished(const it_worker *w);
void it_worker_free(it_worker *w);

/* A process that is nothing but a worker: its whole life. Returns the exit code. */
int it_worker_main(void);

#endif
