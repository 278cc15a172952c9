/*
 * embed.c - where Lua modules and bindings come from.
 *
 * Both are arrays in the program (build/embedded.c, written by pack). ITLUA_LUA=dir loads Lua from files instead, so that an
 * edit needs no build; ITLUA_BINDINGS=dir loads binding modules from files, for debuggers and sanitizers.
 * A binding module becomes a shared library again in memory (or, where that cannot be, in a file that is removed at once).
 */
#include "embed.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bind/bindings.h"
#include "platform.h"
#include "system.h"

typedef struct it_embedded { /* as pack writes it */
  const char *name;
  const unsigned char *data;
  size_t size;
} it_embedded;
extern const it_embedded it_embedded_lua[], it_embedded_modules[];

static const it_embedded *find(const it_embedded *list, const char *name) {
  for (; list->name; list++)
    if (strcmp(list->name, name) == 0) return list;
  return NULL;
}

/* ---- Lua ------------------------------------------------------------------------------------------------------------ */

/* A text's module returns the text. The first upvalue is where the core puts every module's environment. */
static int return_text(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return 1;
}

static void push_text(lua_State *L, const void *data, size_t size) {
  lua_pushnil(L);
  lua_pushlstring(L, data, size);
  lua_pushcclosure(L, return_text, 2);
}

static void read_file(const char *path, it_buf *into) {
  FILE *f = fopen(path, "rb");
  char piece[8192];
  for (size_t n = sizeof piece; f && n == sizeof piece;) {
    n = fread(piece, 1, sizeof piece, f);
    it_buf_add(into, piece, n);
  }
  if (f) fclose(f);
}

/* "itlua.report.html.style.css" in dir/itlua/report/html/style.css. */
static bool load_text(lua_State *L, const char *dir, const char *name) {
  static const char *const endings[] = {"/html", "/css", "/js"};
  const char *last = strrchr(name, '/');
  for (size_t i = 0; last && i < sizeof endings / sizeof *endings; i++) {
    if (strcmp(last, endings[i]) != 0) continue;
    char path[1024];
    snprintf(path, sizeof path, "%s/%.*s.%s", dir, (int)(last - name), name, last + 1);
    if (access(path, R_OK) != 0) return false;
    it_buf text = {0};
    read_file(path, &text);
    push_text(L, text.data ? text.data : "", text.size);
    it_buf_free(&text);
    return true;
  }
  return false;
}

/* "itlua.spec" in dir/itlua/spec.lua or dir/itlua/spec/init.lua; the chunk's name is what pack gives it. */
static bool load_file(lua_State *L, const char *dir, const char *module) {
  static const char *const endings[] = {"", "/init"};
  char name[256], path[1024], chunk[300];
  snprintf(name, sizeof name, "%s", module);
  for (char *p = name; *p; p++)
    if (*p == '.') *p = '/';
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s%s.lua", dir, name, endings[i]);
    if (access(path, R_OK) != 0) continue;
    const char *below = strchr(name, '/');
    snprintf(chunk, sizeof chunk, "=itlua:%s%s", below ? below + 1 : "init",
             below ? endings[i] : "");
    it_buf source = {0};
    read_file(path, &source);
    int status = luaL_loadbufferx(L, source.data ? source.data : "", source.size, chunk, "t");
    it_buf_free(&source);
    if (status != LUA_OK) lua_error(L);
    return true;
  }
  return load_text(L, dir, name);
}

static bool load(lua_State *L, const char *module) {
  const char *dir = getenv("ITLUA_LUA");
  if (dir && strncmp(module, "itlua", 5) == 0 && load_file(L, dir, module)) return true;
  const it_embedded *e = find(it_embedded_lua, module);
  if (!e) return false;
  if (e->size == 0 || e->data[0] != *LUA_SIGNATURE) push_text(L, e->data, e->size);
  else if (luaL_loadbufferx(L, (const char *)e->data, e->size, module, "b") != LUA_OK) lua_error(L);
  return true;
}

/* ---- bindings ------------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const unsigned char *data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n <= 0) return false;
    data += n, size -= (size_t)n;
  }
  return true;
}

static void *from_memory(const it_embedded *e) {
  char path[512];
  int fd = it_memory_file(e->name, 0);
  if (fd < 0) return NULL;
  it_descriptor_path(fd, path, sizeof path);
  void *library = write_all(fd, e->data, e->size) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  close(fd);
  return library;
}

static void *from_temporary_file(const it_embedded *e) {
  const char *folder = getenv("TMPDIR");
  char path[512];
  snprintf(path, sizeof path, "%s/itlua-%s-XXXXXX", folder && *folder ? folder : "/tmp", e->name);
  int fd = mkstemp(path);
  if (fd < 0) return NULL;
  void *library = write_all(fd, e->data, e->size) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  close(fd);
  unlink(path);
  return library;
}

/* Once a process, however many states ask. */
static void *open_module(lua_State *L, const char *name) {
  static struct {
    const char *name;
    void *library;
  } opened[16];
  size_t at = 0;
  for (; opened[at].name; at++)
    if (strcmp(opened[at].name, name) == 0) return opened[at].library;
  const char *dir = getenv("ITLUA_BINDINGS"), *why;
  void *library = NULL;
  const it_embedded *e = find(it_embedded_modules, name);
  if (dir) {
    lua_pushfstring(L, "%s/%s.so", dir, name);
    library = dlopen(lua_tostring(L, -1), RTLD_NOW | RTLD_LOCAL);
    lua_pop(L, 1);
  } else if (e) {
    library = from_memory(e);
    if (!library) library = from_temporary_file(e);
  }
  if (!library) {
    why = dlerror();
    luaL_error(L, "the binding '%s' cannot be loaded: %s", name,
               why ? why : "it is not part of this program");
  }
  if (at + 1 < sizeof opened / sizeof *opened) opened[at].name = name, opened[at].library = library;
  return library;
}

/* luaopen_itlua_http_core of the module "http" for "itlua.http.core". The library stays for the life of the process. */
static lua_CFunction open_from_module(lua_State *L, const it_binding *b) {
  char symbol[128];
  snprintf(symbol, sizeof symbol, "luaopen_%s", b->module);
  for (char *p = symbol; *p; p++)
    if (*p == '.') *p = '_';
  void *library = open_module(L, b->file);
  lua_CFunction function;
  void *address = dlsym(library, symbol);
  memcpy(&function, &address, sizeof function); /* POSIX promises that it fits, ISO C does not */
  if (!function) luaL_error(L, "the binding '%s' has no %s", b->file, symbol);
  return function;
}

static lua_CFunction open_binding(lua_State *L, const char *module) {
  if (strcmp(module, "itlua.cli.core") == 0) return it_luaopen_cli;
  for (const it_binding *b = it_bindings; b->module; b++)
    if (strcmp(b->module, module) == 0) return b->open ? b->open : open_from_module(L, b);
  return NULL;
}

const it_host it_program = {load, open_binding};
