/*
 * edit.c - itlua.edit.core: lines typed at a terminal, over libedit; lua/itlua/repl makes a REPL of it.
 *
 * libedit reads and draws in calls that block, so they happen on a thread of the pool, one job at a time: a line, a key, a
 * command that has the terminal to itself. libedit's input function waits on the terminal and on a pipe: through that the
 * loop interrupts the job and has text shown above the line. A completion goes the other way: the job asks, `next` tells Lua,
 * `answer` lets the job go on.
 */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const it_res_class edit_class;

static edit *check(lua_State *L) { return it_res_check(L, 1, &edit_class); }

/* ---- what comes: next() --------------------------------------------------------------------------------------------- */

static bool asks(edit *e) {
  pthread_mutex_lock(&e->lock);
  bool asking = e->asked && !e->answered;
  pthread_mutex_unlock(&e->lock);
  return asking;
}

static void wake_waiter(edit *e) {
  it_op *op = e->waiter;
  if (!op || !(e->done || asks(e))) return;
  e->waiter = NULL;
  it_op_done(op);
}

static void told(void *data, int events) {
  edit *e = data;
  char bytes[64];
  (void)events;
  while (read(e->told[0], bytes, sizeof bytes) > 0)
    ;
  wake_waiter(e);
}

typedef struct next_op {
  it_op op;
  edit *e;
} next_op;

static int push_outcome(lua_State *L, edit *e) {
  static const char *const names[] = {"line", "end", "interrupted", "key", "ended"};
  e->done = false;
  lua_pushstring(L, names[e->outcome]);
  if (e->outcome == EDIT_ENDED) lua_pushinteger(L, e->status);
  else lua_pushstring(L, e->text);
  free(e->text);
  e->text = NULL;
  return 2;
}

static int next_push(lua_State *L, it_op *op) {
  edit *e = ((next_op *)op)->e;
  if (e->done) return push_outcome(L, e);
  lua_pushliteral(L, "complete");
  pthread_mutex_lock(&e->lock);
  char *asked = it_strdup(e->asked ? e->asked : ""), *behind = it_strdup(e->asked ? e->behind : "");
  pthread_mutex_unlock(&e->lock);
  lua_pushstring(L, asked);
  lua_pushstring(L, behind);
  free(asked);
  free(behind);
  return 3;
}

static bool next_cancel(it_op *op) {
  edit *e = ((next_op *)op)->e;
  if (e->waiter == op) e->waiter = NULL;
  return true;
}

static void next_free(it_op *op) {
  it_res_unref(&((next_op *)op)->e->res);
  free(op);
}

static const it_op_class next_class = {"edit", next_push, next_cancel, next_free};

/* e:next() -> "line", text | "end" | "interrupted" | "complete", text up to the cursor, text behind it | "key", key | "ended", status */
static int l_next(lua_State *L) {
  edit *e = check(L);
  if (!e->busy && !e->done) it_usage(L, "nothing is being read");
  if (e->waiter) it_usage(L, "another task waits for this line");
  next_op *op = it_op_new(L, sizeof *op, &next_class);
  op->e = e;
  it_res_ref(&e->res);
  e->waiter = &op->op;
  wake_waiter(e);
  return it_await(L, &op->op);
}

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

static void clean_up(edit *e);

static void job_over(void *data) {
  edit *e = data;
  e->busy = false;
  e->done = true;
  if (e->printing.size) { /* it came too late to be shown above the line */
    fwrite(e->printing.data, 1, e->printing.size, stdout);
    fflush(stdout);
    it_buf_free(&e->printing);
    e->printing = (it_buf){0};
  }
  if (e->res.open) wake_waiter(e);
  else clean_up(e);
  it_res_unref(&e->res);
}

/* e:start("line", prompt) | ("key", prompt) | ("system", command); then e:next() */
static int l_start(lua_State *L) {
  edit *e = check(L);
  static const char *const kinds[] = {"line", "key", "system", NULL};
  int kind = luaL_checkoption(L, 2, NULL, kinds);
  const char *text = luaL_optstring(L, 3, "");
  if (e->busy) it_usage(L, "a line is being read already");
  free(e->prompt);
  e->prompt = it_strdup(text);
  e->prompt_width = edit_width(text);
  e->kind = kinds[kind][0];
  e->interrupted = e->done = false;
  e->busy = true;
  fflush(stdout);
  it_res_ref(&e->res);
  it_work(e->res.st, edit_job, job_over, e);
  return 0;
}

/* e:interrupt(): what is being read ends */
static int l_interrupt(lua_State *L) {
  edit *e = check(L);
  if (!e->busy || e->kind == 's') return 0;
  pthread_mutex_lock(&e->lock);
  e->interrupted = true;
  pthread_mutex_unlock(&e->lock);
  edit_tell(e->wake[1]);
  return 0;
}

/* e:answer(insert, listing): what the completion that was asked for comes to */
static int l_answer(lua_State *L) {
  edit *e = check(L);
  const char *insert = luaL_optstring(L, 2, ""), *listing = luaL_optstring(L, 3, "");
  pthread_mutex_lock(&e->lock);
  if (e->asked && !e->answered) {
    e->insert = it_strdup(insert);
    e->listing = it_strdup(listing);
    e->answered = true;
  }
  pthread_mutex_unlock(&e->lock);
  edit_tell(e->wake[1]);
  return 0;
}

/* e:print(text): above the line that is being edited */
static int l_print(lua_State *L) {
  edit *e = check(L);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  if (!e->busy || e->kind != 'l' || !e->el) {
    fwrite(text, 1, size, stdout);
    fflush(stdout);
    return 0;
  }
  pthread_mutex_lock(&e->lock);
  it_buf_add(&e->printing, text, size);
  pthread_mutex_unlock(&e->lock);
  edit_tell(e->wake[1]);
  return 0;
}

/* e:remember(text): the newest entry of the history */
static int l_remember(lua_State *L) {
  edit *e = check(L);
  HistEvent event;
  const char *text = luaL_checkstring(L, 2);
  if (e->busy) it_usage(L, "a line is being read");
  if (e->history) history(e->history, &event, H_ENTER, text);
  return 0;
}

/* e:size() -> columns, rows of the terminal; 80, 24 without one */
static int l_size(lua_State *L) {
  struct winsize size = {0};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  lua_pushinteger(L, size.ws_col ? size.ws_col : 80);
  lua_pushinteger(L, size.ws_row ? size.ws_row : 24);
  return 2;
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static void clean_up(edit *e) {
  if (e->el) el_end(e->el);
  if (e->history) history_end(e->history);
  e->el = NULL;
  e->history = NULL;
  it_watch_free(e->watch);
  e->watch = NULL;
  for (int i = 0; i < 2; i++) {
    if (e->wake[i] >= 0) close(e->wake[i]);
    if (e->told[i] >= 0) close(e->told[i]);
    e->wake[i] = e->told[i] = -1;
  }
}

static void edit_close(it_res *res) {
  edit *e = (edit *)res;
  if (!e->busy) {
    clean_up(e);
    return;
  }
  pthread_mutex_lock(&e->lock);
  e->interrupted = true;
  pthread_mutex_unlock(&e->lock);
  edit_tell(e->wake[1]);
}

static void edit_free(it_res *res) {
  edit *e = (edit *)res;
  pthread_mutex_destroy(&e->lock);
  it_buf_free(&e->printing);
  free(e->prompt);
  free(e->text);
  free(e->asked);
  free(e->behind);
  free(e->insert);
  free(e->listing);
  free(e);
}

static const it_res_class edit_class = {"itlua.edit", edit_close, edit_free, true};

static char *prompt_of(EditLine *el) {
  edit *e = NULL;
  el_get(el, EL_CLIENTDATA, &e);
  return e->prompt;
}

/* libedit counts columns by the locale. */
static void speak_utf8(void) {
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

unsigned char edit_complete(EditLine *el, int key);
int edit_next_char(EditLine *el, wchar_t *c);

static bool open_terminal(edit *e, int size) {
  HistEvent event;
  speak_utf8();
  e->el = el_init("itlua", stdin, stdout, stderr);
  e->history = history_init();
  if (!e->el || !e->history) return false;
  history(e->history, &event, H_SETSIZE, size);
  history(e->history, &event, H_SETUNIQUE, 1);
  el_set(e->el, EL_CLIENTDATA, e);
  el_set(e->el, EL_SIGNAL, 0);
  el_set(e->el, EL_EDITOR, "emacs");
  el_set(e->el, EL_PROMPT_ESC, prompt_of, '\1');
  el_set(e->el, EL_HIST, history, e->history);
  el_set(e->el, EL_GETCFN, edit_next_char);
  /* The wide form: the other one makes copies of both texts and forgets them. */
  el_wset(e->el, EL_ADDFN, L"itlua-complete", L"complete the word", edit_complete);
  el_set(e->el, EL_BIND, "^I", "itlua-complete", NULL);
  el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(e->el, EL_BIND, "\033[1;5D", "ed-prev-word", NULL);
  el_set(e->el, EL_BIND, "\033[1;5C", "em-next-word", NULL);
  el_set(e->el, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
  el_source(e->el, NULL); /* ~/.editrc has the last word */
  return true;
}

/* open(terminal, history_size) -> editor; without a terminal it reads plain lines */
static int l_open(lua_State *L) {
  bool terminal = lua_toboolean(L, 1);
  int size = (int)luaL_optinteger(L, 2, 1000);
  edit *e = it_res_new(L, sizeof *e, &edit_class);
  e->wake[0] = e->wake[1] = e->told[0] = e->told[1] = -1;
  pthread_mutex_init(&e->lock, NULL);
  if (pipe2(e->wake, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(e->told, O_CLOEXEC | O_NONBLOCK) != 0) {
    clean_up(e);
    it_raise(L, "fs", "EMFILE", "no pipe for the line editor: %s", strerror(errno));
  }
  e->watch = it_watch_new(e->res.st, e->told[0], told, e);
  it_watch_set(e->watch, IT_READ);
  it_res_open(&e->res, "line editor");
  if (terminal && !open_terminal(e, size))
    it_raise(L, "fs", "TERMINAL", "libedit cannot use this terminal");
  return 1;
}

IT_API int luaopen_itlua_edit_core(lua_State *L);

int luaopen_itlua_edit_core(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", l_next},           {"start", l_start},
                                     {"interrupt", l_interrupt}, {"answer", l_answer},
                                     {"print", l_print},         {"remember", l_remember},
                                     {"size", l_size},           {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  it_res_register(L, &edit_class, methods);
  luaL_newlib(L, functions);
  lua_pushfstring(L, "%d.%d", LIBEDIT_MAJOR, LIBEDIT_MINOR);
  lua_setfield(L, -2, "version");
  return 1;
}
