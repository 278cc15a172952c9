/*
 * server_client.c - sees clients leave where libmicrohttpd does not:
 *
 *  - while a connection is suspended it does not look at it. The socket is watched for reading then: what becomes readable
 *    is the end of the stream, or data (a pipelined request, a TLS record). Data would keep the watch firing, so it is paused.
 *  - its epoll is edge-triggered, and a short read makes it wait for the next edge; when the end of the stream came together
 *    with the data, there is none, and the connection would stay until its timeout.
 *
 * What the watch cannot see, the patrol finds: it looks at every socket soon after one was connected, and then more and more
 * seldom.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server.h"

enum { PATROL_FIRST = 50, PATROL_LAST = 1000 }; /* milliseconds from look to look */

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

/* ---- connections ------------------------------------------------------------------------------------------------- */

void client_connected(server *srv, struct MHD_Connection *connection, void **slot) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  client *c = it_alloc(sizeof *c);
  c->fd = info ? info->connect_fd : -1;
  if ((c->next = srv->clients)) c->next->link = &c->next;
  c->link = &srv->clients;
  srv->clients = c;
  srv->client_count++;
  if (srv->patrol && srv->patrol_ms != PATROL_FIRST) {
    srv->patrol_ms = PATROL_FIRST;
    it_timer_set(srv->patrol, PATROL_FIRST);
  }
  *slot = c;
}

void client_closed(server *srv, void **slot) {
  client *c = *slot;
  if (!c) return;
  *slot = NULL;
  if ((*c->link = c->next)) c->next->link = c->link;
  if (srv->client_count-- == srv->client_max) srv->room = true;
  free(c);
}

client *client_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

/* A client that has shut down its sending side is taken to have left, as nginx and Go's server do. */
static bool has_left(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLRDHUP};
  char byte;
  if (poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLERR | POLLHUP))) return true;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool has_data(int fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
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
  if (has_left(req->client->fd)) left(req);
  else it_watch_set(req->watch, 0);
}

void client_watch(request *req) {
  if (req->watch || !req->client) return;
  req->watch = it_watch_new(req->srv->res.st, req->client->fd, on_readable, req);
  if (req->watch) it_watch_set(req->watch, IT_READ);
}

void client_unwatch(request *req) {
  it_watch_free(req->watch);
  req->watch = NULL;
}

static void look_at(client *c) {
  request *req = c->request;
  if (req && req->suspended) {
    left(req);
  } else if ((!req || req->state == READING) && !has_data(c->fd)) {
    shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd is told by an event, and closes it */
  }
}

void client_patrol(void *data) {
  server *srv = data;
  size_t n = 0;
  if (!srv->clients) {
    srv->patrol_ms = 0;
    return;
  }
  struct pollfd *sockets = it_alloc((size_t)srv->client_count * sizeof *sockets);
  for (client *c = srv->clients; c; c = c->next)
    sockets[n++] = (struct pollfd){.fd = c->fd, .events = POLLRDHUP};
  if (poll(sockets, (nfds_t)n, 0) > 0) {
    n = 0;
    for (client *c = srv->clients, *next; c; c = next) {
      next = c->next;
      if (sockets[n++].revents) look_at(c);
    }
  }
  free(sockets);
  srv->patrol_ms = 2 * srv->patrol_ms < PATROL_LAST ? 2 * srv->patrol_ms : PATROL_LAST;
  it_timer_set(srv->patrol, srv->patrol_ms);
}
