/*
 * fs.c - itlua.fs.core: files and folders without blocking the loop. lua/itlua/fs.lua is what specs see.
 *
 * Each function is one job: its arguments are copied, a pool thread does all of it with libuv's blocking calls (fs_file.c,
 * fs_tree.c), and the waiting task gets the result. A job whose task has gone is told to stop and freed when it has.
 */
#include "fs.h"

#include <stdlib.h>
#include <string.h>

_Noreturn void fs_fail(lua_State *L, int rc, const char *verb, const char *path, const char *why) {
  it_error_push(L, "fs", uv_err_name(rc), "%s '%s': %s", verb, path, why ? why : uv_strerror(rc));
  lua_pushstring(L, path);
  lua_setfield(L, -2, "path");
  it_error_throw(L);
}

/* ---- jobs ---- */

static void job_work(void *data) {
  fs_job *j = data;
  j->rc = j->work->run(j);
}

static void job_after(void *data) {
  fs_job *j = data;
  if (j->rc != 0) it_op_outcome(&j->op, "%s", uv_err_name(j->rc));
  it_op_done(&j->op);
}

static int job_push(lua_State *L, it_op *op) {
  fs_job *j = (fs_job *)op;
  if (j->rc != 0 && j->to && !j->culprit) {
    const char *both = lua_pushfstring(L, "%s' to '%s", j->path, j->to);
    fs_fail(L, j->rc, j->work->verb, both, j->why);
  }
  if (j->rc != 0) fs_fail(L, j->rc, j->work->verb, j->culprit ? j->culprit : j->path, j->why);
  return j->work->push ? j->work->push(L, j) : 0;
}

static bool job_cancel(it_op *op) {
  atomic_store(&((fs_job *)op)->stop, true);
  return false;
}

static void job_free(it_op *op) {
  fs_job *j = (fs_job *)op;
  free(j->path);
  free(j->to);
  free(j->culprit);
  it_buf_free(&j->data);
  free(j);
}

static const it_op_class job_class = {"fs", job_push, job_cancel, job_free};

static const char *check_path(lua_State *L, int arg) {
  size_t size;
  if (lua_type(L, arg) != LUA_TSTRING)
    it_usage(L, "fs: the path is a %s, not a string", luaL_typename(L, arg));
  const char *path = lua_tolstring(L, arg, &size);
  if (size == 0) it_usage(L, "fs: the path is empty");
  if (strlen(path) != size) it_usage(L, "fs: the path has a NUL in it");
  return path;
}

/* ---- results ---- */

static int push_data(lua_State *L, fs_job *j) {
  lua_pushlstring(L, j->data.data ? j->data.data : "", j->data.size);
  return 1;
}

static int push_list(lua_State *L, fs_job *j) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (size_t i = 0; i < j->data.size; i += strlen(j->data.data + i) + 1) {
    lua_pushstring(L, j->data.data + i);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static void number(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static void moment(lua_State *L, const char *name, uv_timespec_t t) {
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  lua_setfield(L, -2, name);
}

static int push_stat(lua_State *L, fs_job *j) {
  const uv_stat_t *s = &j->stat;
  const char *type = "other";
  switch (s->st_mode & S_IFMT) {
  case S_IFREG: type = "file"; break;
  case S_IFDIR: type = "folder"; break;
  case S_IFLNK: type = "link"; break;
  case S_IFIFO: type = "pipe"; break;
  case S_IFSOCK: type = "socket"; break;
  case S_IFCHR:
  case S_IFBLK: type = "device"; break;
  default: break;
  }
  lua_createtable(L, 0, 11);
  lua_pushstring(L, type);
  lua_setfield(L, -2, "type");
  number(L, "size", s->st_size);
  number(L, "mode", s->st_mode & 07777);
  number(L, "links", s->st_nlink);
  number(L, "uid", s->st_uid);
  number(L, "gid", s->st_gid);
  number(L, "inode", s->st_ino);
  number(L, "device", s->st_dev);
  moment(L, "modified", s->st_mtim);
  moment(L, "accessed", s->st_atim);
  moment(L, "changed", s->st_ctim);
  return 1;
}

/* ---- functions ---- */

static const fs_work works[] = {{"read", "cannot read", fs_read, push_data},
                                {"write", "cannot write", fs_write, NULL},
                                {"stat", "cannot look at", fs_stat, push_stat},
                                {"list", "cannot list", fs_list, push_list},
                                {"mkdir", "cannot make the folder", fs_make, NULL},
                                {"remove", "cannot remove", fs_remove, NULL},
                                {"copy", "cannot copy", fs_copy, NULL},
                                {"rename", "cannot rename", fs_rename, NULL},
                                {"chmod", "cannot change the mode of", fs_chmod, NULL},
                                {"symlink", "cannot link to", fs_symlink, NULL},
                                {"realpath", "cannot resolve", fs_realpath, push_data}};
enum { WORKS = sizeof works / sizeof *works };

/* <work>(path [, options]): of the options those that the work looks at, and `to` (a path) and `data` (a string) */
static int l_job(lua_State *L) {
  const fs_work *work = &works[lua_tointeger(L, lua_upvalueindex(1))];
  const char *path = check_path(L, 1), *data = NULL, *to = NULL;
  size_t size = 0;
  fs_job given = {.work = work};
  lua_settop(L, 2);
  given.mode = it_opt_integer(L, 2, "mode", -1);
  given.limit = it_opt_integer(L, 2, "max_size", (lua_Integer)256 << 20);
  given.recursive = it_opt_boolean(L, 2, "recursive", false);
  given.force = it_opt_boolean(L, 2, "force", false);
  given.atomic = it_opt_boolean(L, 2, "atomic", false);
  given.append = it_opt_boolean(L, 2, "append", false);
  given.own = it_opt_boolean(L, 2, "own", false);
  given.follow = it_opt_boolean(L, 2, "follow", true);
  if (given.mode > 07777) it_usage(L, "fs: option 'mode' is at most 7777 octal");
  if (given.mode < 0) given.mode = work->run == fs_make ? 0777 : FS_MODE_DEFAULT;
  if (given.limit < 0) it_usage(L, "fs: option 'max_size' is negative");
  if (lua_istable(L, 2) && lua_getfield(L, 2, "to") != LUA_TNIL) to = check_path(L, 3);
  if (lua_istable(L, 2) && lua_getfield(L, 2, "data") != LUA_TNIL)
    data = luaL_checklstring(L, -1, &size);
  fs_job *j = it_op_new(L, sizeof *j, &job_class);
  it_op op = j->op;
  *j = given;
  j->op = op;
  j->path = it_strdup(path);
  j->to = to ? it_strdup(to) : NULL;
  if (data) it_buf_add(&j->data, data, size);
  it_op_detail(&j->op, "%s %s", work->name, path);
  it_work(j->op.st, job_work, job_after, j);
  return it_await(L, &j->op);
}

int luaopen_itlua_fs_core(lua_State *L) {
  lua_createtable(L, 0, WORKS + 5);
  for (int i = 0; i < WORKS; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, l_job, 1);
    lua_setfield(L, -2, works[i].name);
  }
  fs_temp_open(L);
  fs_watch_open(L);
  return 1;
}
