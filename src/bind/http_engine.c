/*
 * http_engine.c - a CURLM on the event loop. Used by clients (one engine a state) and by bursts (one each).
 *
 * libcurl says what to watch (want_socket, want_timer), the loop says what happened (on_socket, on_timer), and collect()
 * takes finished transfers out before it tells their owners: a message dies with its handle's stay in the multi.
 *
 * A connection's watch stays between requests, because taking it off and putting it back would cost two system calls a
 * request. That needs to know when a descriptor dies, so the engine opens and closes the sockets itself. Descriptors that
 * libcurl opens on its own (the resolver's) are watched no longer than it says.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

enum { REST_AFTER = 1000 /* milliseconds */ };

struct http_socket {
  http_engine *engine;
  it_watch *watch;
  curl_socket_t fd;
  int wanted, watched; /* IT_READ | IT_WRITE */
  bool ours;           /* we opened it, so we see it closed */
};

/* ---- finished transfers ---- */

static void collect(http_engine *e) {
  CURLMsg *m;
  int left;
  while ((m = curl_multi_info_read(e->multi, &left))) {
    if (m->msg != CURLMSG_DONE) continue;
    http_transfer *t = NULL;
    CURLcode result = m->data.result;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    http_engine_remove(t);
    t->finished(t, result);
  }
}

static void act(http_engine *e, curl_socket_t fd, int events) {
  curl_multi_socket_action(e->multi, fd, events, &e->running);
  collect(e);
}

/* ---- sockets ---- */

static void watch(http_socket *s, int events) {
  if (s->watched == events || !s->watch) return;
  it_watch_set(s->watch, events);
  s->watched = events;
}

static void on_socket(void *data, int events) {
  http_socket *s = data;
  if (!s->wanted) { /* an idle connection: the server closed it, or speaks out of turn. libcurl sees it before reuse */
    watch(s, 0);
    return;
  }
  act(s->engine, s->fd,
      (events & IT_READ ? CURL_CSELECT_IN : 0) | (events & IT_WRITE ? CURL_CSELECT_OUT : 0));
}

static http_socket *socket_at(http_engine *e, curl_socket_t fd) {
  return (size_t)fd < e->socket_slots ? e->sockets[fd] : NULL;
}

static void socket_forget(http_engine *e, curl_socket_t fd) {
  http_socket *s = socket_at(e, fd);
  if (!s) return;
  it_watch_free(s->watch);
  free(s);
  e->sockets[fd] = NULL;
}

static http_socket *socket_add(http_engine *e, curl_socket_t fd, bool ours) {
  socket_forget(e, fd);
  if ((size_t)fd >= e->socket_slots) {
    size_t slots = (size_t)fd + 32;
    e->sockets = it_realloc(e->sockets, slots * sizeof *e->sockets);
    for (size_t i = e->socket_slots; i < slots; i++) e->sockets[i] = NULL;
    e->socket_slots = slots;
  }
  http_socket *s = it_alloc(sizeof *s);
  s->engine = e;
  s->fd = fd;
  s->ours = ours;
  return e->sockets[fd] = s;
}

/* libcurl closes a socket that never got connected without telling us. A watch that was left on its number would later take
 * another's off the loop, of another state, which then waits for ever. */
static void unwatch(http_socket *s) {
  it_watch_free(s->watch);
  s->watch = NULL;
  s->watched = 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned) {
  (void)easy, (void)assigned;
  http_engine *e = user;
  http_socket *s = socket_at(e, fd);
  if (what == CURL_POLL_REMOVE) {
    if (!s) return 0;
    s->wanted = 0;
    if (!s->ours) socket_forget(e, fd);
    else if (s->watched != IT_READ) unwatch(s);
    return 0;
  }
  if (!s) s = socket_add(e, fd, false);
  if (!s->watch && !(s->watch = it_watch_new(e->st, (int)fd, on_socket, s))) return -1;
  s->wanted = (what & CURL_POLL_IN ? IT_READ : 0) | (what & CURL_POLL_OUT ? IT_WRITE : 0);
  watch(s, s->wanted);
  return 0;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd != CURL_SOCKET_BAD) socket_add(user, fd, true);
  return fd;
}

static int close_socket(void *user, curl_socket_t fd) {
  socket_forget(user, fd);
  return close(fd);
}

/* Connections never leave their multi, so a socket is closed by the engine that opened it. */
void http_open_sockets(http_engine *e, http_transfer *t) {
  if (t->opens == e) return;
  t->opens = e;
  curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, e);
  curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, e);
  curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
}

/* ---- time ---- */

static void on_timer(void *data) { act(data, CURL_SOCKET_TIMEOUT, 0); }

static int want_timer(CURLM *multi, long milliseconds, void *user) {
  (void)multi;
  http_engine *e = user;
  it_timer_set(e->timer,
               milliseconds); /* 0 is the next turn: libcurl must not be entered from here */
  return 0;
}

/* Watches keep the loop alive: where nothing else would, idle connections must not hide that everybody waits in vain. */
static void on_rest(void *data) {
  http_engine *e = data;
  if (e->used || e->running > 0) {
    e->used = false;
    it_timer_set(e->rest, REST_AFTER);
    return;
  }
  e->resting = true;
  for (size_t i = 0; i < e->socket_slots; i++)
    if (e->sockets[i] && !e->sockets[i]->wanted) watch(e->sockets[i], 0);
}

/* ---- transfers ---- */

void http_engine_start(http_engine *e, http_transfer *t) {
  e->used = true;
  if (e->resting) {
    e->resting = false;
    it_timer_set(e->rest, REST_AFTER);
  }
  http_open_sockets(e, t);
  t->engine = e;
  curl_multi_add_handle(e->multi, t->easy);
}

void http_engine_kick(http_engine *e) { act(e, CURL_SOCKET_TIMEOUT, 0); }

void http_engine_remove(http_transfer *t) {
  if (!t->engine) return;
  curl_multi_remove_handle(t->engine->multi, t->easy);
  t->engine = NULL;
}

/* ---- life ---- */

http_engine *http_engine_new(it_state *st, long connections) {
  http_engine *e = it_alloc(sizeof *e);
  e->st = st;
  e->refs = 1;
  e->resting = true;
  e->timer = it_timer_new(st, on_timer, e);
  e->rest = it_timer_new(st, on_rest, e);
  e->multi = curl_multi_init();
  curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
  curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
  curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, want_timer);
  curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
  curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, connections);
  return e;
}

void http_engine_unref(http_engine *e) {
  if (!e || --e->refs) return;
  curl_multi_cleanup(e->multi); /* closes the connections through close_socket */
  for (size_t i = 0; i < e->socket_slots; i++) socket_forget(e, (curl_socket_t)i);
  free(e->sockets);
  it_timer_free(e->timer);
  it_timer_free(e->rest);
  free(e);
}
