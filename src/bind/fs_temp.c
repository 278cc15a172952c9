/*
 * fs_temp.c - temporary folders and files: made at once, removed with their handle, whoever closes it. The removal is a
 * pool thread's; the state waits for it.
 */
#include <stdlib.h>
#include <string.h>

#include "fs.h"

typedef struct temporary {
  it_res res;
  char *path;
  bool gone; /* nothing is to be removed: it was, or it is to be kept */
} temporary;

static void remove_work(void *data) { fs_remove_own(data); }

static void temporary_close(it_res *res) {
  temporary *t = (temporary *)res;
  if (!t->gone) it_work(res->st, remove_work, free, it_strdup(t->path));
  t->gone = true;
}

static void temporary_free(it_res *res) {
  free(((temporary *)res)->path);
  free(res);
}

static const it_res_class temporary_class = {"itlua.fs.temporary", temporary_close, temporary_free,
                                             IT_SWEPT};

/* temporary(template, folder?) -> handle; the template ends with XXXXXX */
static int l_temporary(lua_State *L) {
  uv_fs_t req;
  const char *template = luaL_checkstring(L, 1);
  bool folder = lua_toboolean(L, 2);
  temporary *t = it_res_new(L, sizeof *t, &temporary_class);
  int rc = folder ? uv_fs_mkdtemp(NULL, &req, template, NULL)
                  : uv_fs_mkstemp(NULL, &req, template, NULL);
  if (rc >= 0) t->path = it_strdup(req.path);
  uv_fs_req_cleanup(&req);
  if (rc < 0) fs_fail(L, rc, "cannot make", template, NULL);
  if (!folder) uv_fs_close(NULL, &req, rc, NULL), uv_fs_req_cleanup(&req);
  it_res_open(&t->res, "temporary %s %s", folder ? "folder" : "file", t->path);
  return 1;
}

static temporary *check(lua_State *L) {
  return *(temporary **)luaL_checkudata(L, 1, temporary_class.name);
}

/* handle:location() -> path */
static int l_location(lua_State *L) {
  lua_pushstring(L, check(L)->path);
  return 1;
}

/* handle:forget(): it is removed already, or is to be kept; returns whether it was still there */
static int l_forget(lua_State *L) {
  temporary *t = check(L);
  lua_pushboolean(L, !t->gone);
  t->gone = true;
  it_res_close(&t->res);
  return 1;
}

/* temporary_place() -> the system's folder for such things */
static int l_place(lua_State *L) {
  char path[4096];
  size_t size = sizeof path;
  int rc = uv_os_tmpdir(path, &size);
  if (rc != 0) fs_fail(L, rc, "cannot find", "the folder for temporary files", NULL);
  lua_pushlstring(L, path, size);
  return 1;
}

void fs_temp_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"location", l_location}, {"forget", l_forget}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"temporary", l_temporary}, {"temporary_place", l_place}, {NULL, NULL}};
  it_res_register(L, &temporary_class, methods);
  luaL_setfuncs(L, functions, 0);
  luaL_getmetatable(L, temporary_class.name);
  lua_setfield(L, -2, "temporary_metatable");
}
