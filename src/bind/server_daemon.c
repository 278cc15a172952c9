/*
 * server_daemon.c - libmicrohttpd on the loop: its epoll descriptor is watched, its timeout is a timer, and its callbacks
 * carry a request from state to state (server.h). Nothing here touches Lua.
 *
 * A complete request goes to the queue and its connection stays with the daemon: a handler that does not wait answers
 * before the daemon looks again, so neither suspending nor resuming (three system calls) is paid. Only when the daemon asks
 * for the answer and there is none yet is the connection suspended.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* A body that is too large is read to its end, so that the client sees the answer, unless it is this much too large. */
enum { BODY_PATIENCE = 64 * 1024 * 1024, CLOSING_TURNS = 8 };

/* ---- a request arrives ------------------------------------------------------------------------------------------- */

static void *on_target(void *data, const char *target, struct MHD_Connection *connection) {
  return request_new(data, connection, target);
}

/* Whether the declared length alone is more than anyone should wait for. */
static bool hopeless(const request *req, struct MHD_Connection *connection) {
  const char *length =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
  if (!length) return false;
  unsigned long long n = strtoull(length, NULL, 10);
  if (n <= req->srv->max_body) return false;
  const char *expect =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);
  return expect || n - req->srv->max_body > BODY_PATIENCE;
}

static server_result begin(request *req, struct MHD_Connection *connection, const char *method) {
  size_t size = strlen(method);
  if (size >= sizeof req->method) {
    req->method[0] = '?';
    reply_refuse(req, MHD_HTTP_NOT_IMPLEMENTED, "The method is unknown.\n");
    return MHD_YES;
  }
  memcpy(req->method, method, size + 1);
  request_fields(req, connection);
  if (hopeless(req, connection))
    reply_refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, "The body is too large.\n");
  return MHD_YES;
}

static server_result take_body(request *req, const char *data, size_t *size) {
  size_t n = *size;
  req->received += n;
  *size = 0;
  if (req->received <= req->srv->max_body) {
    it_buf_add(&req->body, data, n);
  } else {
    it_buf_free(&req->body);
    if (req->received - req->srv->max_body > BODY_PATIENCE) return MHD_NO;
  }
  return MHD_YES;
}

static server_result wait_for_answer(request *req, struct MHD_Connection *connection) {
  if (req->gone || req->srv->closing) return MHD_NO;
  MHD_suspend_connection(connection);
  req->suspended = true;
  client_watch(req);
  return MHD_YES;
}

static server_result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *size, void **slot) {
  request *req = *slot;
  (void)data, (void)url, (void)version;
  if (!req) return MHD_NO;
  switch (req->state) {
  case READING:
    if (!req->method[0]) return begin(req, connection, method);
    if (*size) return take_body(req, upload, size);
    if (req->refused) return MHD_YES;
    if (req->srv->closing) return MHD_NO;
    if (req->received > req->srv->max_body) {
      reply_refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, "The body is too large.\n");
      return MHD_YES;
    }
    queue_add(req);
    return MHD_YES;
  case QUEUED:
  case TAKEN: return wait_for_answer(req, connection);
  case ANSWERED:
  case STREAMING: return reply_queue(req);
  case OVER: break;
  }
  return MHD_NO;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code) {
  request *req = *slot;
  (void)data, (void)connection;
  if (!req) return;
  *slot = NULL;
  if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK) req->gone = true;
  request_over(req);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) client_connected(data, connection, slot);
  else client_closed(data, slot);
}

/* The library's messages are about single requests (malformed, aborted), which is the client's business. Only what it
 * says while it starts is kept. */
static void IT_PRINTF(2, 0) on_log(void *data, const char *fmt, va_list args) {
  server *srv = data;
  char line[512];
  if (srv->running) return;
  vsnprintf(line, sizeof line, fmt, args);
  line[strcspn(line, "\r\n")] = 0;
  free(srv->log);
  srv->log = it_strdup(line);
}

/* ---- on the loop ------------------------------------------------------------------------------------------------- */

void server_turn(server *srv) {
  if (!srv->daemon) return;
  MHD_run(srv->daemon);
  if (srv->room) { /* only its next run listens again */
    srv->room = false;
    it_timer_set(srv->timer, 0);
    return;
  }
  /* While requests are unanswered this is 0 ms; the worker that runs before then stops the timer again. */
  MHD_UNSIGNED_LONG_LONG ms;
  it_timer_set(srv->timer, MHD_get_timeout(srv->daemon, &ms) == MHD_YES ? (int64_t)ms : -1);
}

static void on_event(void *data, int events) {
  (void)events;
  server_turn(data);
}

static void on_timer(void *data) { server_turn(data); }

static size_t options(server *srv, struct MHD_OptionItem *item, unsigned memory,
                      unsigned connections) {
  size_t n = 0;
  item[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)memory, NULL};
  item[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL};
  if (srv->certificate) {
    item[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, srv->certificate};
    item[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, srv->key};
  }
  item[n++] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
  return n;
}

bool server_start(server *srv, int listener, unsigned memory, unsigned idle_seconds,
                  unsigned connections) {
  struct MHD_OptionItem items[8];
  srv->client_max = (int)connections;
  options(srv, items, memory, connections);
  unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  if (srv->certificate) flags |= MHD_USE_TLS;
  srv->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, on_request, srv, MHD_OPTION_EXTERNAL_LOGGER, on_log, srv,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, srv, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
      srv, MHD_OPTION_URI_LOG_CALLBACK, on_target, srv, MHD_OPTION_LISTEN_SOCKET, listener,
      MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
  if (!srv->daemon) return false;
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(srv->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  srv->watch = it_watch_new(srv->res.st, info->epoll_fd, on_event, srv);
  srv->timer = it_timer_new(srv->res.st, on_timer, srv);
  srv->patrol = it_timer_new(srv->res.st, client_patrol, srv);
  it_watch_set(srv->watch, IT_READ);
  it_timer_set(srv->timer, 0); /* the first run registers the listening socket */
  srv->running = true;
  return true;
}

void server_quiesce(server *srv) {
  if (srv->quiesced || !srv->daemon) return;
  srv->quiesced = true;
  int listener = MHD_quiesce_daemon(srv->daemon);
  if (listener >= 0) close(listener);
}

/* MHD_stop_daemon aborts the process while a connection is suspended, so: every request ends, every connection is resumed,
 * and the daemon runs, which also sends what was answered already as far as the clients take it. */
void server_stop(server *srv) {
  if (!srv->daemon) return;
  srv->closing = true;
  for (request *req = srv->live, *next; req; req = next) {
    next = req->next;
    if (req->state == QUEUED) queue_remove(req);
    if (req->state != ANSWERED) req->gone = true;
    stream_break(req);
    request_resume(req);
  }
  for (int i = 0; i < CLOSING_TURNS && srv->live; i++) MHD_run(srv->daemon);
  it_watch_free(srv->watch);
  it_timer_free(srv->timer);
  it_timer_free(srv->patrol);
  srv->watch = NULL;
  srv->timer = srv->patrol = NULL;
  MHD_stop_daemon(srv->daemon);
  srv->daemon = NULL;
  queue_close(srv);
}
