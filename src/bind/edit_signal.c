/*
 * edit_signal.c - while a line is edited: the terminal has another size (SIGWINCH), the user stops the program and lets it go
 * on (SIGTSTP, SIGCONT). The handlers note it and wake the job, which does what has to be done.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"

static struct {
  volatile sig_atomic_t resized, stopped, continued;
  int fd;
  struct sigaction winch, stop, cont;
} heard = {.fd = -1};

static void note(int number) {
  if (number == SIGWINCH) heard.resized = 1;
  else if (number == SIGCONT) heard.continued = 1;
  else heard.stopped = 1;
  if (heard.fd >= 0) edit_tell(heard.fd);
}

void edit_signals_on(edit *e) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  heard.fd = e->wake[1];
  sigaction(SIGWINCH, &action, &heard.winch);
  sigaction(SIGTSTP, &action, &heard.stop);
  sigaction(SIGCONT, &action, &heard.cont);
  if (heard.resized && e->el) el_resize(e->el); /* since the last line */
  heard.resized = heard.stopped = heard.continued = 0;
}

void edit_signals_off(void) {
  sigaction(SIGWINCH, &heard.winch, NULL);
  sigaction(SIGTSTP, &heard.stop, NULL);
  sigaction(SIGCONT, &heard.cont, NULL);
  heard.fd = -1;
  heard.resized = 1; /* who knows what happens until the next line */
}

bool edit_signals_tend(edit *e) {
  bool again = heard.resized || heard.continued;
  if (heard.stopped) {
    heard.stopped = 0;
    edit_leave_line(e);
    el_set(e->el, EL_PREP_TERM, 0);
    kill(getpid(), SIGSTOP); /* this thread may run on for a moment */
    return false;
  }
  if (heard.continued) {                    /* the shell may have set the terminal as it likes */
    static const char begin[] = "\r\033[K"; /* it may not have been stopped at all */
    heard.continued = 0;
    fwrite(begin, 1, sizeof begin - 1, stdout);
    el_set(e->el, EL_PREP_TERM, 0);
    el_set(e->el, EL_PREP_TERM, 1);
  }
  if (heard.resized) {
    heard.resized = 0;
    el_resize(e->el);
  }
  return again;
}
