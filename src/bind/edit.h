/*
 * edit.h - what the files of the line editor share: itlua.edit.core over libedit. See edit.c.
 */
#ifndef ITLUA_EDIT_H
#define ITLUA_EDIT_H

#include <histedit.h>
#include <itlua.h>
#include <pthread.h>

typedef enum edit_outcome {
  EDIT_LINE,        /* a line, in `text` */
  EDIT_END,         /* the end of the input */
  EDIT_INTERRUPTED, /* edit_interrupt() */
  EDIT_KEY,         /* a key, in `text` */
  EDIT_ENDED,       /* a command has ended, with `status` */
} edit_outcome;

typedef struct edit {
  it_res res;
  it_watch *watch;
  it_op *waiter;
  bool busy, done; /* a job runs; it has ended and nobody was told yet */

  /* The job's while one runs, else the loop's. */
  EditLine *el; /* NULL: plain lines, for what is no terminal */
  History *history;
  char kind; /* 'l'ine, 'k'ey, 's'ystem */
  char *prompt, *text;
  int prompt_width, status;
  edit_outcome outcome;
  char bytes[4096]; /* typed and not read yet */
  size_t at, filled;

  /* Both's, with the lock. A byte in `wake` says that there is something for the job, one in `told` for the loop. */
  pthread_mutex_t lock;
  int wake[2], told[2];
  it_buf printing; /* to be shown above the line */
  bool interrupted;
  char *asked,
      *behind; /* a completion is wanted for what is before the cursor; what is behind it */
  char *insert, *listing;
  bool answered;
} edit;

/* edit_job.c: on a thread of the pool */
void edit_job(void *data); /* an edit */
void edit_tell(int fd);    /* one byte; the pipe never blocks */

/* edit_screen.c: with el's screen */
void edit_show_above(edit *e, const char *text, size_t size);
void edit_leave_line(edit *e); /* the cursor below all that is being edited */
int edit_width(const char *prompt);

/* edit_signal.c: what the terminal says while a line is edited (its size, stop and go on) wakes the job */
void edit_signals_on(edit *e);
void edit_signals_off(void);
bool edit_signals_tend(edit *e); /* true: the line has to be drawn again */

#endif
