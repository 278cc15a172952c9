/*
 * server_client.c - sees a client leave while its connection is suspended, which libmicrohttpd does not.
 *
 * The socket is watched for reading: what becomes readable is the end of the stream, an error, or data (a pipelined request,
 * a TLS record). Data would keep the watch firing, so it is paused and the server's patrol looks from time to time.
 */
#include <poll.h>
#include <sys/socket.h>

#include "server.h"

enum { PATROL_MS = 200 };

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

static int socket_of(const request *req) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

/* A client that has shut down its sending side is taken to have left, as nginx and Go's server do. */
static bool has_left(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLRDHUP};
  char byte;
  if (poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLERR | POLLHUP))) return true;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void left(request *req) {
  req->gone = true;
  if (req->state == QUEUED) queue_remove(req);
  else queue_gone(req);
  stream_break(req);
  request_resume(req); /* so that libmicrohttpd asks for the answer, and is told to hang up */
  it_timer_set(req->srv->timer, 0);
}

static void on_readable(void *data, int events) {
  request *req = data;
  (void)events;
  if (has_left(socket_of(req))) {
    left(req);
    return;
  }
  it_watch_set(req->watch, 0);
  req->deaf = true;
  it_timer_set(req->srv->patrol, PATROL_MS);
}

void client_patrol(void *data) {
  server *srv = data;
  bool more = false;
  for (request *req = srv->live, *next; req; req = next) {
    next = req->next;
    if (!req->deaf) continue;
    if (has_left(socket_of(req))) left(req);
    else more = true;
  }
  if (more) it_timer_set(srv->patrol, PATROL_MS);
}

void client_watch(request *req) {
  if (req->watch) return;
  req->watch = it_watch_new(req->srv->res.st, socket_of(req), on_readable, req);
  if (req->watch) it_watch_set(req->watch, IT_READ);
}

void client_unwatch(request *req) {
  it_watch_free(req->watch);
  req->watch = NULL;
  req->deaf = false;
}
