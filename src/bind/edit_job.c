/*
 * edit_job.c - what happens on the pool's thread: a line is edited, a key is read, a command has the terminal.
 */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "edit.h"

int edit_next_char(EditLine *el, wchar_t *c);
unsigned char edit_complete(EditLine *el, int key);

void edit_tell(int fd) {
  while (write(fd, "", 1) < 0 && errno == EINTR)
    ;
}

/* What the loop wants. False: the line has to end. */
static bool heed(edit *e) {
  char bytes[64];
  while (read(e->wake[0], bytes, sizeof bytes) > 0)
    ;
  pthread_mutex_lock(&e->lock);
  it_buf text = e->printing;
  e->printing = (it_buf){0};
  bool interrupted = e->interrupted;
  pthread_mutex_unlock(&e->lock);
  if (text.size) edit_show_above(e, text.data, text.size);
  it_buf_free(&text);
  if (e->el && e->kind == 'l' && edit_signals_tend(e)) el_set(e->el, EL_REFRESH);
  return !interrupted;
}

/* Waits for something typed. 1; 0 at the end of the input; -1: interrupted. */
static int fill(edit *e) {
  while (e->at == e->filled) {
    struct pollfd p[] = {{STDIN_FILENO, POLLIN, 0}, {e->wake[0], POLLIN, 0}};
    if (poll(p, 2, -1) < 0 && errno != EINTR) return 0;
    if (p[1].revents && !heed(e)) return -1;
    if (!p[0].revents) continue;
    ssize_t n = read(STDIN_FILENO, e->bytes, sizeof e->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return 0;
    e->at = 0;
    e->filled = (size_t)n;
  }
  return 1;
}

static int next_byte(edit *e, unsigned char *byte) {
  int got = fill(e);
  if (got == 1) *byte = (unsigned char)e->bytes[e->at++];
  return got;
}

/* A byte that is no UTF-8 is taken for a character of Latin 1: it is seen, and does no harm. */
static int next_code(edit *e, wchar_t *c) {
  unsigned char byte;
  int got = next_byte(e, &byte);
  if (got != 1) return got;
  int more = byte >= 0xF0 && byte < 0xF5 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC2 ? 1 : 0;
  if (byte < 0x80 || byte >= 0xF5) more = 0;
  wchar_t code = more == 3 ? byte & 7 : more == 2 ? byte & 15 : more == 1 ? byte & 31 : byte;
  for (int i = 0; i < more; i++) {
    got = next_byte(e, &byte);
    if (got != 1) return got;
    if ((byte & 0xC0) != 0x80) {
      e->at--; /* it begins something else */
      code = 0xFFFD;
      break;
    }
    code = (wchar_t)(code << 6 | (byte & 63));
  }
  *c = code;
  return 1;
}

int edit_next_char(EditLine *el, wchar_t *c) {
  edit *e = NULL;
  el_get(el, EL_CLIENTDATA, &e);
  int got = next_code(e, c);
  if (got < 0) e->outcome = EDIT_INTERRUPTED;
  return got == 1;
}

/* ---- completion ----------------------------------------------------------------------------------------------------- */

static bool wait_for_answer(edit *e) {
  for (;;) {
    pthread_mutex_lock(&e->lock);
    bool answered = e->answered;
    pthread_mutex_unlock(&e->lock);
    if (answered) return true;
    struct pollfd p = {e->wake[0], POLLIN, 0};
    if (poll(&p, 1, -1) < 0 && errno != EINTR) return false;
    if (!heed(e)) return false;
  }
}

unsigned char edit_complete(EditLine *el, int key) {
  edit *e = NULL;
  (void)key;
  el_get(el, EL_CLIENTDATA, &e);
  const LineInfo *line = el_line(el);
  pthread_mutex_lock(&e->lock);
  e->asked = it_memdup(line->buffer, (size_t)(line->cursor - line->buffer));
  e->behind = it_memdup(line->cursor, (size_t)(line->lastchar - line->cursor));
  e->answered = false;
  pthread_mutex_unlock(&e->lock);
  edit_tell(e->told[1]);
  bool answered = wait_for_answer(e);
  pthread_mutex_lock(&e->lock);
  char *insert = e->insert, *listing = e->listing;
  free(e->asked);
  free(e->behind);
  e->asked = e->behind = e->insert = e->listing = NULL;
  e->answered = false;
  pthread_mutex_unlock(&e->lock);
  if (answered && *insert) el_insertstr(el, insert);
  if (answered && *listing) edit_show_above(e, listing, strlen(listing));
  unsigned char result = answered && !*insert && !*listing ? CC_REFRESH_BEEP : CC_REFRESH;
  free(insert);
  free(listing);
  if (!answered) edit_tell(e->wake[1]); /* the interrupt is for the line as well */
  return result;
}

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

static void edit_line(edit *e) {
  int size = 0;
  e->outcome = EDIT_END;
  edit_signals_on(e);
  const char *line = el_gets(e->el, &size);
  edit_signals_off();
  if (line) {
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) size--;
    e->text = it_memdup(line, (size_t)size);
    e->outcome = EDIT_LINE;
  } else if (e->outcome == EDIT_INTERRUPTED) {
    edit_leave_line(e);
  }
}

static void plain_line(edit *e) {
  it_buf line = {0};
  unsigned char byte = 0;
  int got;
  fputs(e->prompt, stdout);
  fflush(stdout);
  while ((got = next_byte(e, &byte)) == 1 && byte != '\n') it_buf_add(&line, &byte, 1);
  e->outcome = got < 0 ? EDIT_INTERRUPTED : got == 0 && !line.size ? EDIT_END : EDIT_LINE;
  if (e->outcome == EDIT_LINE) e->text = it_memdup(line.data ? line.data : "", line.size);
  it_buf_free(&line);
}

/* One key, without an echo. Of a key that sends several bytes the first counts. */
static void one_key(edit *e) {
  struct termios before, raw;
  unsigned char byte = 0;
  fputs(e->prompt, stdout);
  fflush(stdout);
  bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
  raw = before;
  raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
  if (is_terminal) tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  int got = next_byte(e, &byte);
  if (byte == '\033') e->at = e->filled;
  if (is_terminal) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
  e->outcome = got < 0 ? EDIT_INTERRUPTED : got == 0 ? EDIT_END : EDIT_KEY;
  char key[2] = {(char)byte, 0};
  e->text = it_strdup(key);
}

/* With the terminal to itself. Its exit code; 126 when it could not be started. */
static int run_command(const char *command) {
  char *words[] = {it_strdup("sh"), it_strdup("-c"), it_strdup(command), NULL};
  pid_t pid;
  int status = 0, wrong = posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ);
  for (int i = 0; i < 3; i++) free(words[i]);
  if (wrong != 0) return 126;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void edit_job(void *data) {
  edit *e = data;
  if (e->kind == 's') {
    e->status = run_command(e->prompt);
    e->outcome = EDIT_ENDED;
  } else if (e->kind == 'k') {
    one_key(e);
  } else if (e->el) {
    edit_line(e);
  } else {
    plain_line(e);
  }
}
