/*
 * udp.c - require "udp": datagrams, for specs of what services send without being asked (statsd, syslog, discovery).
 *
 * An add-on: an ordinary Lua C module that includes itlua.h and is built without the rest of itlua. The library here is the
 * system's own sockets. A socket (a resource) owns its descriptor and the watch on it; at most one task waits for a
 * datagram (an operation), and the watch is set only while one does, so what nobody asked for stays with the system.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <itlua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGEST = 65536 };

typedef struct receive_op receive_op;

typedef struct udp_socket {
  it_res res;
  int fd;
  it_watch *watch;
  receive_op *waiting;
} udp_socket;

struct receive_op {
  it_op op;
  udp_socket *socket;
  size_t size;
  char from[INET_ADDRSTRLEN + 8];
  char data[LARGEST];
};

/* ---- what the loop calls: records, and ends the operation ---- */

static void receive(receive_op *r) {
  struct sockaddr_in from = {0};
  socklen_t length = sizeof from;
  ssize_t size =
      recvfrom(r->socket->fd, r->data, sizeof r->data, MSG_DONTWAIT, (void *)&from, &length);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  r->socket->waiting = NULL;
  it_watch_set(r->socket->watch, 0);
  if (size < 0) {
    it_op_fail(&r->op, "process", "RECV", "cannot receive: %s", strerror(errno));
    return;
  }
  char host[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &from.sin_addr, host, sizeof host);
  snprintf(r->from, sizeof r->from, "%s:%d", host, ntohs(from.sin_port));
  r->size = (size_t)size;
  it_op_outcome(&r->op, "%zu B from %s", r->size, r->from);
  it_op_done(&r->op);
}

static void readable(void *data, int events) {
  udp_socket *s = data;
  (void)events;
  if (s->waiting) receive(s->waiting);
}

/* ---- the operation ---- */

static int receive_push(lua_State *L, it_op *op) {
  const receive_op *r = (receive_op *)op;
  lua_pushlstring(L, r->data, r->size);
  lua_pushstring(L, r->from);
  return 2;
}

static bool receive_cancel(it_op *op) {
  receive_op *r = (receive_op *)op;
  if (r->socket->waiting == r) {
    r->socket->waiting = NULL;
    it_watch_set(r->socket->watch, 0);
  }
  return true;
}

static void receive_free(it_op *op) {
  it_res_unref(&((receive_op *)op)->socket->res);
  free(op);
}

static const it_op_class receive_class = {"udp.receive", receive_push, receive_cancel,
                                          receive_free};

/* ---- the resource ---- */

static void socket_close(it_res *res) {
  udp_socket *s = (udp_socket *)res;
  receive_op *waiting = s->waiting;
  s->waiting = NULL;
  it_watch_free(s->watch);
  close(s->fd);
  if (waiting) it_op_fail(&waiting->op, "cancelled", NULL, "the socket was closed");
}

static void socket_free(it_res *res) { free(res); }

static const it_res_class socket_class = {"udp.socket", socket_close, socket_free, false};

/* ---- what Lua calls ---- */

static struct sockaddr_in address(lua_State *L, const char *host, lua_Integer port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, host, &a.sin_addr) != 1) it_usage(L, "'%s' is no IPv4 address", host);
  if (port < 0 || port > 65535) it_usage(L, "%d is no port", (int)port);
  return a;
}

/* open([{host = "127.0.0.1", port = 0}]) -> socket, port */
static int l_open(lua_State *L) {
  const char *host = it_opt_string(L, 1, "host", "127.0.0.1");
  struct sockaddr_in a = address(L, host, it_opt_integer(L, 1, "port", 0));
  socklen_t length = sizeof a;
  udp_socket *s = it_res_new(L, sizeof *s, &socket_class);
  s->fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (s->fd < 0 || bind(s->fd, (void *)&a, sizeof a) != 0 ||
      getsockname(s->fd, (void *)&a, &length) != 0 ||
      !(s->watch = it_watch_new(s->res.st, s->fd, readable, s))) {
    int wrong = errno;
    if (s->fd >= 0) close(s->fd);
    it_raise(L, "process", "BIND", "cannot open a UDP socket on %s: %s", host, strerror(wrong));
  }
  it_res_open(&s->res, "UDP socket %s:%d", host, ntohs(a.sin_port));
  lua_pushinteger(L, ntohs(a.sin_port));
  return 2;
}

/* socket:receive() -> datagram, "host:port" of the sender. Waits; task.timeout limits it. */
static int l_receive(lua_State *L) {
  udp_socket *s = it_res_check(L, 1, &socket_class);
  if (s->waiting) it_usage(L, "another task already waits for a datagram");
  receive_op *r = it_op_new(L, sizeof *r, &receive_class);
  it_res_ref(&s->res);
  r->socket = s;
  s->waiting = r;
  it_op_detail(&r->op, "%s", s->res.label);
  it_watch_set(s->watch, IT_READ);
  return it_await(L, &r->op);
}

/* socket:send(host, port, data) */
static int l_send(lua_State *L) {
  udp_socket *s = it_res_check(L, 1, &socket_class);
  struct sockaddr_in to = address(L, luaL_checkstring(L, 2), luaL_checkinteger(L, 3));
  size_t size;
  const char *data = luaL_checklstring(L, 4, &size);
  if (sendto(s->fd, data, size, 0, (void *)&to, sizeof to) < 0)
    it_raise(L, "process", "SEND", "cannot send %d bytes: %s", (int)size, strerror(errno));
  return 0;
}

int luaopen_udp(lua_State *L);
int luaopen_udp(lua_State *L) {
  static const luaL_Reg methods[] = {{"receive", l_receive}, {"send", l_send}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  it_res_register(L, &socket_class, methods);
  luaL_newlib(L, functions);
  return 1;
}
