/*
 * system.c - require "itlua.cli.core": files and folders, the terminal, the machine. Small things that the standard library
 * lacks, kept here so that the command line needs no binding to start.
 */
#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int failed(lua_State *L) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

/* kind(path) -> "file" | "directory" | "other", or nil and why */
static int l_kind(lua_State *L) {
  struct stat st;
  if (stat(luaL_checkstring(L, 1), &st) != 0) return failed(L);
  lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : "other");
  return 1;
}

/* readable(path) -> true, or nil and why */
static int l_readable(lua_State *L) {
  if (access(luaL_checkstring(L, 1), R_OK) != 0) return failed(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* identity(path) -> a string that two paths to the same thing share */
static int l_identity(lua_State *L) {
  struct stat st;
  if (stat(luaL_checkstring(L, 1), &st) != 0) return failed(L);
  lua_pushfstring(L, "%I:%I", (lua_Integer)st.st_dev, (lua_Integer)st.st_ino);
  return 1;
}

static bool is_folder(const char *folder, const struct dirent *e) {
  char path[4096];
  struct stat st;
  if (e->d_type == DT_DIR) return true;
  if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) return false;
  snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* scan(path) -> the names in a folder, folders with a "/" behind; or nil and why */
static int l_scan(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  DIR *folder = opendir(path);
  if (!folder) return failed(L);
  lua_newtable(L);
  lua_Integer n = 0;
  for (const struct dirent *e; (e = readdir(folder));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    lua_pushfstring(L, is_folder(path, e) ? "%s/" : "%s", e->d_name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(folder);
  return 1;
}

/* chdir(path) -> true, or nil and why */
static int l_chdir(lua_State *L) {
  if (chdir(luaL_checkstring(L, 1)) != 0) return failed(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* terminal(descriptor) -> boolean */
static int l_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* columns() -> the width of the terminal and its height, nil without one */
static int l_columns(lua_State *L) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/* stay(): the program goes on when nobody reads its standard output any more */
static int l_stay(lua_State *L) {
  (void)L;
  it_stay_without_reader();
  return 0;
}

/* unread() -> whether the standard output is a pipe or socket whose reader has gone */
static int l_unread(lua_State *L) {
  struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};
  lua_pushboolean(L, poll(&out, 1, 0) == 1 && (out.revents & POLLERR));
  return 1;
}

/* cores() -> how many processors this process may use */
static int l_cores(lua_State *L) {
  lua_Integer cores = 0;
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
  if (cores < 1) cores = (lua_Integer)sysconf(_SC_NPROCESSORS_ONLN);
  lua_pushinteger(L, cores < 1 ? 1 : cores);
  return 1;
}

/* limit("files" | "processes") -> what this process may have, math.huge without a limit */
static int l_limit(lua_State *L) {
  struct rlimit limit;
  const char *which = luaL_checkstring(L, 1);
  if (getrlimit(strcmp(which, "files") == 0 ? RLIMIT_NOFILE : RLIMIT_NPROC, &limit) != 0)
    return failed(L);
  if (limit.rlim_cur == RLIM_INFINITY) lua_pushnumber(L, HUGE_VAL);
  else lua_pushinteger(L, (lua_Integer)limit.rlim_cur);
  return 1;
}

/* connects(path) -> true when something listens on the socket, or nil and why */
static int l_connects(lua_State *L) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size;
  const char *path = luaL_checklstring(L, 1, &size);
  if (size >= sizeof address.sun_path) return luaL_argerror(L, 1, "too long for a socket");
  memcpy(address.sun_path, path, size + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  if (!ok) return failed(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* random_seed() -> a number that nobody can foresee */
static int l_random_seed(lua_State *L) {
  uint32_t seed = 0;
  if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0) seed = (uint32_t)it_now();
  lua_pushinteger(L, (lua_Integer)seed);
  return 1;
}

/* keep_private(file) -> file: no process that is started gets it */
static int l_keep_private(lua_State *L) {
  const luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  if (stream->closef) fcntl(fileno(stream->f), F_SETFD, FD_CLOEXEC);
  lua_settop(L, 1);
  return 1;
}

int it_luaopen_cli(lua_State *L) {
  static const luaL_Reg functions[] = {{"kind", l_kind},
                                       {"readable", l_readable},
                                       {"identity", l_identity},
                                       {"scan", l_scan},
                                       {"chdir", l_chdir},
                                       {"terminal", l_terminal},
                                       {"columns", l_columns},
                                       {"stay", l_stay},
                                       {"unread", l_unread},
                                       {"cores", l_cores},
                                       {"limit", l_limit},
                                       {"connects", l_connects},
                                       {"keep_private", l_keep_private},
                                       {"random_seed", l_random_seed},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_pushstring(L, it_version);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, &LUA_RELEASE[4]); /* "Lua 5.4.6" */
  lua_setfield(L, -2, "lua");
  lua_pushstring(L, uv_version_string());
  lua_setfield(L, -2, "libuv");
  it_supervisor_open(L);
  it_local_open(L);
  it_signals_open(L);
  it_keys_open(L);
  return 1;
}
