/*
 * container_guard.c - connections to an engine that last as long as this process: hold(), and notes of the process that
 * all its states share: note().
 *
 * A guard (lua/itlua/container/guard.lua) is a container that ends with its standard input. Its input is such a
 * connection: the system closes it with the process, however that ends, and the engine does the rest.
 *
 * States of a hold: on a pool thread (connecting, asking, reading the answer's head) -> kept for good | closed.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "container.h"

enum { PATIENCE = 20 /* seconds */ };

typedef struct hold {
  it_op op;
  char *path, *host, *port, *request;
  it_buf head; /* of the answer */
  int error;   /* an errno, or 0 */
  const char *said;
} hold;

/* ---- on the thread ---------------------------------------------------------------------------------------------------- */

static int connected(int fd, const struct sockaddr *address, socklen_t size) {
  struct timeval patience = {.tv_sec = PATIENCE};
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, address, size) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int to_socket(hold *h) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(h->path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  memcpy(address.sun_path, h->path, strlen(h->path) + 1);
  return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                   (const struct sockaddr *)&address, sizeof address);
}

static int to_host(hold *h) {
  struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  int fd = -1, rc = getaddrinfo(h->host, h->port, &wanted, &list);
  if (rc != 0) {
    h->said = gai_strerror(rc);
    return errno = EHOSTUNREACH, -1;
  }
  for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
    fd = connected(socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), a->ai_addr, a->ai_addrlen);
  freeaddrinfo(list);
  return fd;
}

static bool ask(int fd, const char *request) {
  for (size_t left = strlen(request); left > 0;) {
    ssize_t n = send(fd, request, left, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    request += n;
    left -= (size_t)n;
  }
  return true;
}

/* Up to the empty line, byte by byte: what follows is not ours to read. */
static bool read_head(int fd, it_buf *head) {
  char byte;
  while (head->size < 8192) {
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0 ? (errno = ECONNRESET, false) : false;
    it_buf_add(head, &byte, 1);
    if (head->size >= 4 && memcmp(head->data + head->size - 4, "\r\n\r\n", 4) == 0) return true;
  }
  return errno = EPROTO, false;
}

static bool is_taken(const char *head) {
  const char *status = strncmp(head, "HTTP/1.", 7) == 0 ? strchr(head, ' ') : NULL;
  return status && (strncmp(status, " 101", 4) == 0 || strncmp(status, " 200", 4) == 0);
}

static void hold_work(void *data) {
  hold *h = data;
  int fd = h->path ? to_socket(h) : to_host(h);
  if (fd < 0 || !ask(fd, h->request) || !read_head(fd, &h->head)) h->error = errno;
  else if (!is_taken(h->head.data)) h->error = EPROTO;
  if (h->error && fd >= 0) close(fd); /* else it is kept */
}

/* ---- the operation ---------------------------------------------------------------------------------------------------- */

static void hold_release(hold *h) {
  free(h->path);
  free(h->host);
  free(h->port);
  free(h->request);
  it_buf_free(&h->head);
  free(h);
}

static void hold_after(void *data) {
  hold *h = data;
  if (!h->error) it_op_done(&h->op);
  else
    it_op_fail(&h->op, "container", "GUARD", "%s",
               h->said              ? h->said
               : h->error == EPROTO ? (h->head.data ? h->head.data : "no answer")
                                    : strerror(h->error));
}

static int hold_push(lua_State *L, it_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

static bool hold_cancel(it_op *op) {
  (void)op;
  return false;
}

static void hold_free(it_op *op) { hold_release((hold *)op); }

static const it_op_class hold_class = {"container.hold", hold_push, hold_cancel, hold_free};

static char *copy_of(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? NULL : it_strdup(luaL_checkstring(L, index));
}

/* hold(path | nil, host, port, request): sends a request, and keeps the connection once it was taken (101 or 200) */
int container_hold(lua_State *L) {
  luaL_checkstring(L, 4);
  hold *h = it_op_new(L, sizeof *h, &hold_class);
  h->path = copy_of(L, 1);
  h->host = copy_of(L, 2);
  h->port = copy_of(L, 3);
  h->request = copy_of(L, 4);
  it_work(h->op.st, hold_work, hold_after, h);
  return it_await(L, &h->op);
}

/* ---- notes ------------------------------------------------------------------------------------------------------------ */

typedef struct note {
  struct note *next;
  char *name, *value;
} note;

/* note(name [, value]) -> what this process has noted under that name, or nil; with a value, from now on that ("": nothing) */
int container_note(lua_State *L) {
  static note *notes;
  const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
  note *n = notes;
  while (n && strcmp(n->name, name) != 0) n = n->next;
  if (!n && value) {
    n = it_alloc(sizeof *n);
    n->name = it_strdup(name);
    n->next = notes;
    notes = n;
  }
  if (value) {
    free(n->value);
    n->value = *value ? it_strdup(value) : NULL;
  }
  lua_pushstring(L, n ? n->value : NULL);
  return 1;
}
