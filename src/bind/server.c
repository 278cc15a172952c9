/*
 * server.c - itlua.server.core: an HTTP server whose handlers are Lua, over libmicrohttpd. Called by lua/itlua/server.lua,
 * which has the routes, the worker tasks and everything that is policy.
 *
 * server.h says which file does what and which states a request has. The server itself is open from listen() to close.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

enum { BACKLOG = 1024 };
static const lua_Integer KB = 1024, MB = 1048576;

static void server_close(it_res *res) {
  server *srv = (server *)res;
  server_stop(srv);
  signal_end(srv);
  if (srv->unix_path) unlink(srv->unix_path);
}

static void server_free(it_res *res) {
  server *srv = (server *)res;
  free(srv->unix_path);
  free(srv->certificate);
  free(srv->key);
  free(srv->log);
  request_free_spare(srv);
  free(srv);
}

const it_res_class server_class = {
    .name = "itlua.server", .close = server_close, .free = server_free};

/* ---- listen ------------------------------------------------------------------------------------------------------ */

typedef union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un local;
} address;

/* False when `host` is neither an address nor "localhost". */
static bool resolve(address *a, socklen_t *size, const char *host, int port) {
  memset(a, 0, sizeof *a);
  if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
  if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons((uint16_t)port);
    *size = sizeof a->v4;
    return true;
  }
  if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) != 1) return false;
  a->v6.sin6_family = AF_INET6;
  a->v6.sin6_port = htons((uint16_t)port);
  *size = sizeof a->v6;
  return true;
}

/* The listening socket, or -1 with errno. */
static int open_listener(const address *a, socklen_t size) {
  int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int on = 1;
  if (a->any.sa_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, &a->any, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int bound_port(int fd) {
  address a = {0};
  socklen_t size = sizeof a;
  if (getsockname(fd, &a.any, &size) != 0) return 0;
  if (a.any.sa_family == AF_INET) return ntohs(a.v4.sin_port);
  return a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : 0;
}

static const char *error_word(int error) {
  switch (error) {
  case EADDRINUSE: return "EADDRINUSE";
  case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
  case EACCES: return "EACCES";
  case EMFILE: return "EMFILE";
  case ENOENT: return "ENOENT";
  default: return NULL;
  }
}

static char *copy_of(const char *s) { return s ? it_strdup(s) : NULL; }

typedef struct limits {
  lua_Integer memory, idle, connections, journal;
} limits;

static limits check_limits(lua_State *L) {
  limits l = {.memory = it_opt_integer(L, 1, "max_headers", 16 * KB),
              .idle = it_opt_integer(L, 1, "idle_timeout", 75),
              .connections = it_opt_integer(L, 1, "max_connections", 1000),
              .journal = it_opt_integer(L, 1, "journal", 1000)};
  if (l.journal < 0 || l.journal > 10000000)
    it_usage(L, "journal: a number of requests is expected");
  if (l.memory < 1024 || l.memory > 16 * MB) it_usage(L, "max_headers: 1 KB to 16 MB is expected");
  if (l.idle < 0 || l.idle > 86400)
    it_usage(L, "idle_timeout: 0 (none) to 86400 seconds is expected");
  if (l.connections < 1 || l.connections > 100000)
    it_usage(L, "max_connections: 1 to 100000 is expected");
  return l;
}

/* What clients connect to, for messages; false when the host is no address. */
static bool where_to(lua_State *L, address *a, socklen_t *size, const char *host, const char *path,
                     int port) {
  if (!path) return resolve(a, size, host, port);
  memset(a, 0, sizeof *a);
  a->local.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof a->local.sun_path)
    it_usage(L, "unix: the path is longer than the system allows");
  memcpy(a->local.sun_path, path, strlen(path) + 1);
  *size = sizeof a->local;
  return true;
}

/*
 * listen{host=, port=, unix=, certificate=, key=, max_body=, max_headers=, idle_timeout=,
 *        max_connections=, journal=}
 *   -> server, inbox, port
 */
static int l_listen(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *host = it_opt_string(L, 1, "host", "127.0.0.1");
  const char *path = it_opt_string(L, 1, "unix", NULL);
  lua_Integer port = it_opt_integer(L, 1, "port", 0);
  lua_Integer max_body = it_opt_integer(L, 1, "max_body", 16 * MB);
  const char *certificate = it_opt_string(L, 1, "certificate", NULL);
  const char *key = it_opt_string(L, 1, "key", NULL);
  limits l = check_limits(L);
  if (port < 0 || port > 65535) it_usage(L, "port %lld: 0 to 65535 is expected", (long long)port);
  if (max_body < 0) it_usage(L, "max_body: a number of bytes is expected");
  if (!certificate != !key) it_usage(L, "tls needs both cert and key");
  address a;
  socklen_t size;
  if (!where_to(L, &a, &size, host, path, (int)port))
    it_usage(L, "host %s: an IPv4 or IPv6 address or \"localhost\" is expected", host);

  server *srv = it_res_new(L, sizeof *srv, &server_class);
  srv->queue_tail = &srv->queue;
  srv->max_body = (size_t)max_body;
  srv->journal.limit = (size_t)l.journal;
  srv->certificate = copy_of(certificate);
  srv->key = copy_of(key);
  queue_push_inbox(L, srv);
  int listener = open_listener(&a, size);
  if (listener < 0)
    it_raise(L, "http", error_word(errno), "cannot listen on %s%s%lld: %s", path ? path : host,
             path ? ", port " : ":", (long long)port, strerror(errno));
  srv->port = bound_port(listener);
  srv->unix_path = copy_of(path);
  if (!server_start(srv, listener, (unsigned)l.memory, (unsigned)l.idle, (unsigned)l.connections)) {
    close(listener);
    it_raise(L, "http", NULL, "cannot start the server: %s",
             srv->log ? srv->log : "libmicrohttpd does not say why");
  }
  if (path) it_res_open(&srv->res, "server %s", path);
  else it_res_open(&srv->res, "server %s:%d", host, srv->port);
  lua_pushinteger(L, srv->port);
  return 3;
}

/* active(server) -> how many requests have not been answered in full */
static int l_active(lua_State *L) {
  server *srv = it_res_check(L, 1, &server_class);
  lua_pushinteger(L, srv->active);
  return 1;
}

static const luaL_Reg methods[] = {{NULL, NULL}};
static const luaL_Reg functions[] = {{"listen", l_listen}, {"active", l_active}, {NULL, NULL}};

IT_API int luaopen_itlua_server_core(lua_State *L);
int luaopen_itlua_server_core(lua_State *L) {
  it_res_register(L, &server_class, methods);
  request_register(L);
  queue_register(L);
  luaL_newlib(L, functions);
  luaL_setfuncs(L, request_functions, 0);
  luaL_setfuncs(L, queue_functions, 0);
  luaL_setfuncs(L, journal_functions, 0);
  luaL_setfuncs(L, reply_functions, 0);
  luaL_setfuncs(L, stream_functions, 0);
  luaL_setfuncs(L, signal_functions, 0);
  lua_pushstring(L, MHD_get_version());
  lua_setfield(L, -2, "library_version");
  return 1;
}
