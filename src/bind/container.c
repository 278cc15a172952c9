/*
 * container.c - itlua.container.core: whether something listens on a port (no library, sockets alone), and the reaper,
 * connections that are held.
 *
 * The engine's proxy takes every connection to a published port and closes it when nothing listens inside the container. So
 * a connection counts only when it stays open for a moment, or when something was said on it.
 *
 * States: connecting -> staying, while the moment lasts -> done | failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "container.h"

typedef struct probe {
  it_op op;
  it_watch *watch;
  it_timer *timer;
  int64_t moment; /* milliseconds */
  int fd;
  bool staying, open;
} probe;

static const char *code_of(int error) {
  switch (error) {
  case ECONNREFUSED: return "ECONNREFUSED";
  case ECONNRESET: return "ECONNRESET";
  case EHOSTUNREACH: return "EHOSTUNREACH";
  case ENETUNREACH: return "ENETUNREACH";
  case ETIMEDOUT: return "ETIMEDOUT";
  default: return "CONNECT";
  }
}

static void stop(probe *p) {
  it_watch_free(p->watch);
  it_timer_free(p->timer);
  p->watch = NULL;
  p->timer = NULL;
}

static void stayed(void *data) {
  probe *p = data;
  p->open = true;
  stop(p);
  it_op_done(&p->op);
}

static void refused(probe *p, int error) {
  stop(p);
  it_op_fail(&p->op, "container", code_of(error), "%s", strerror(error));
}

static void connected(probe *p) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error) {
    refused(p, error);
    return;
  }
  p->staying = true;
  it_watch_set(p->watch, IT_READ);
  it_timer_set(p->timer, p->moment);
}

static void on_fd(void *data, int events) {
  probe *p = data;
  char byte;
  (void)events;
  if (!p->staying) {
    connected(p);
    return;
  }
  ssize_t n = recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  p->open = n > 0;
  stop(p);
  it_op_done(&p->op);
}

static int probe_push(lua_State *L, it_op *op) {
  lua_pushboolean(L, ((probe *)op)->open);
  return 1;
}

static bool probe_cancel(it_op *op) {
  stop((probe *)op);
  return true;
}

static void probe_free(it_op *op) {
  probe *p = (probe *)op;
  stop(p);
  if (p->fd >= 0) close(p->fd);
  free(p);
}

static const it_op_class probe_class = {"container.probe", probe_push, probe_cancel, probe_free};

static socklen_t address_of(const char *ip, int port, struct sockaddr_storage *storage) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
    memcpy(storage, &v4, sizeof v4);
    return sizeof v4;
  }
  if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) {
    memcpy(storage, &v6, sizeof v6);
    return sizeof v6;
  }
  return 0;
}

/* probe(ip, port, seconds) -> whether the connection stayed open that long; raises where there is none */
static int l_probe(lua_State *L) {
  const char *ip = luaL_checkstring(L, 1);
  lua_Integer port = luaL_checkinteger(L, 2);
  lua_Number seconds = luaL_checknumber(L, 3);
  struct sockaddr_storage address;
  if (port < 1 || port > 65535) it_usage(L, "%d is no port", (int)port);
  socklen_t size = address_of(ip, (int)port, &address);
  if (!size) it_usage(L, "'%s' is no IP address", ip);
  probe *p = it_op_new(L, sizeof *p, &probe_class);
  p->moment = (int64_t)(seconds * 1000 + 0.5);
  p->timer = it_timer_new(p->op.st, stayed, p);
  p->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (p->fd < 0) {
    refused(p, errno);
  } else if (connect(p->fd, (const struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS) {
    refused(p, errno);
  } else if (!(p->watch = it_watch_new(p->op.st, p->fd, on_fd, p))) {
    refused(p, EBADF);
  } else {
    it_watch_set(p->watch, IT_WRITE);
  }
  return it_await(L, &p->op);
}

/* readlink(path) -> where a symbolic link leads to, or nil; for what the system itself answers at once */
static int l_readlink(lua_State *L) {
  char target[4096];
  ssize_t n = readlink(luaL_checkstring(L, 1), target, sizeof target);
  if (n < 0) return 0;
  lua_pushlstring(L, target, (size_t)n);
  return 1;
}

int luaopen_itlua_container_core(lua_State *L);

int luaopen_itlua_container_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"probe", l_probe},       {"reaper", container_reaper},
                                       {"readlink", l_readlink}, {"hold", container_hold},
                                       {"note", container_note}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
