/*
 * pack.c - a build tool: compiles Lua files to bytecode and writes them, with the binding modules, as one C file.
 *
 *   pack OUT.c DIR:PREFIX… MODULE.so…
 *
 * DIR:PREFIX takes every .lua file below DIR as module PREFIX.path.to.file ("lua:lua" takes the files' own paths, and an
 * init.lua names its folder). Chunk names are "=itlua:http" for ours, "@luassert/assert.lua" for what is bundled.
 *   pack --run SCRIPT.lua ARGUMENT…
 *
 * runs a script of the build, for machines without a Lua.
 *
 * Files that end in .html, .css or .js become modules whose value is their text: itlua.report.html.style.css.
 */
#include <dirent.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct item {
  char *name;
  size_t size;
} item;
static struct {
  item items[2000];
  size_t count;
} lua_files, modules;

static _Noreturn void die(const char *what, const char *name) {
  fprintf(stderr, "pack: %s: %s\n", name, what);
  exit(1);
}

static char *copy(const char *text) {
  char *made = strdup(text);
  if (!made) die("out of memory", text);
  return made;
}

/* Bytes go out as words of eight, in the order of this machine: a compiler reads them several times as fast. */
static struct {
  unsigned char bytes[sizeof(uint64_t)];
  size_t filled, words;
} pending;

static void put_word(FILE *out) {
  uint64_t word;
  memcpy(&word, pending.bytes, sizeof word);
  fprintf(out, ++pending.words % 6 ? "0x%" PRIx64 "," : "0x%" PRIx64 ",\n", word);
  memset(&pending.bytes, 0, sizeof pending.bytes);
  pending.filled = 0;
}

static void begin(FILE *out, const char *array, size_t n) {
  memset(&pending, 0, sizeof pending);
  fprintf(out, "static const uint64_t %s_%zu[] = {\n", array, n);
}

static void put(FILE *out, const unsigned char *p, size_t size) {
  for (size_t i = 0; i < size; i++) {
    pending.bytes[pending.filled++] = p[i];
    if (pending.filled == sizeof pending.bytes) put_word(out);
  }
}

static void end(FILE *out) {
  put_word(out);
  fprintf(out, "};\n");
}

static int put_chunk(lua_State *L, const void *p, size_t size, void *user) {
  (void)L;
  put(user, p, size);
  lua_files.items[lua_files.count].size += size;
  return 0;
}

static char *read_file(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) die("cannot be read", path);
  struct stat s;
  if (fstat(fileno(f), &s) != 0) die("cannot be read", path);
  *size = (size_t)s.st_size;
  char *data = malloc(*size + 1);
  if (!data || fread(data, 1, *size, f) != *size) die("cannot be read", path);
  fclose(f);
  return data;
}

/* "itlua/spec/init.lua" -> "itlua.spec"; the chunk name is "=itlua:spec/init" or, for what is bundled, "@luassert/init.lua". */
static void add_lua(FILE *out, const char *path, const char *relative) {
  char name[512], chunk[600];
  snprintf(name, sizeof name, "%s", relative);
  name[strlen(name) - 4] = 0;
  if (strncmp(name, "itlua/", 6) == 0) snprintf(chunk, sizeof chunk, "=itlua:%s", name + 6);
  else if (strcmp(name, "itlua") == 0) snprintf(chunk, sizeof chunk, "=itlua:init");
  else snprintf(chunk, sizeof chunk, "@%s", relative);
  char *init = strrchr(name, '/');
  if (init && strcmp(init, "/init") == 0) *init = 0;
  for (char *p = name; *p; p++)
    if (*p == '/') *p = '.';
  size_t size;
  char *source = read_file(path, &size);
  lua_State *L = luaL_newstate();
  if (luaL_loadbufferx(L, source, size, chunk, "t") != LUA_OK) die(lua_tostring(L, -1), path);
  begin(out, "lua", lua_files.count);
  lua_files.items[lua_files.count].size = 0;
  lua_dump(L, put_chunk, out, 0);
  end(out);
  lua_files.items[lua_files.count++].name = copy(name);
  lua_close(L);
  free(source);
}

static bool ends_in(const char *name, const char *ending) {
  size_t len = strlen(name), n = strlen(ending);
  return len > n && strcmp(name + len - n, ending) == 0;
}

/* The bytes as they are: embed.c tells them from bytecode by the first. */
static void add_text(FILE *out, const char *path, const char *relative) {
  size_t size;
  char *data = read_file(path, &size);
  char *name = copy(relative);
  for (char *p = name; *p; p++)
    if (*p == '/') *p = '.';
  begin(out, "lua", lua_files.count);
  put(out, (const unsigned char *)data, size);
  end(out);
  lua_files.items[lua_files.count].size = size;
  lua_files.items[lua_files.count++].name = name;
  free(data);
}

static void walk(FILE *out, const char *dir, const char *relative) {
  struct dirent **entries;
  int n = scandir(dir, &entries, NULL, alphasort);
  if (n < 0) die("no such folder", dir);
  for (int i = 0; i < n; i++) {
    const char *e = entries[i]->d_name;
    char path[1024], rel[512];
    snprintf(path, sizeof path, "%s/%s", dir, e);
    snprintf(rel, sizeof rel, "%s%s%s", relative, *relative ? "/" : "", e);
    struct stat s;
    if (e[0] != '.' && stat(path, &s) == 0) {
      if (S_ISDIR(s.st_mode)) walk(out, path, rel);
      else if (ends_in(e, ".lua")) add_lua(out, path, rel);
      else if (ends_in(e, ".html") || ends_in(e, ".css") || ends_in(e, ".js"))
        add_text(out, path, rel);
    }
    free(entries[i]);
  }
  free(entries);
}

static void add_module(FILE *out, const char *path) {
  size_t size;
  char *data = read_file(path, &size);
  const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  char *name = copy(base);
  name[strlen(name) - 3] = 0;
  begin(out, "module", modules.count);
  put(out, (const unsigned char *)data, size);
  end(out);
  modules.items[modules.count].size = size;
  modules.items[modules.count++].name = name;
  free(data);
}

static void table(FILE *out, const char *name, const char *array, const item *items, size_t count) {
  fprintf(out, "const it_embedded %s[] = {\n", name);
  for (size_t i = 0; i < count; i++)
    fprintf(out, "  {\"%s\", %s_%zu, %zu},\n", items[i].name, array, i, items[i].size);
  fprintf(out, "  {0, 0, 0}};\n");
}

static int run(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_newtable(L);
  for (int i = 2; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 2);
  }
  lua_setglobal(L, "arg");
  if (luaL_dofile(L, argv[2])) die(lua_tostring(L, -1), argv[2]);
  lua_close(L);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "--run") == 0) return run(argc, argv);
  if (argc < 3) die("usage: pack OUT.c DIR:PREFIX… MODULE.so…", "arguments");
  char temporary[1024];
  snprintf(temporary, sizeof temporary, "%s.new", argv[1]);
  FILE *out = fopen(temporary, "w");
  if (!out) die("cannot be written", temporary);
  fputs("/* generated by pack: do not edit */\n"
        "#include <stddef.h>\n#include <stdint.h>\n"
        "typedef struct { const char *name; const void *data; size_t size; } it_embedded;\n"
        "extern const it_embedded it_embedded_lua[], it_embedded_modules[];\n",
        out);
  for (int i = 2; i < argc; i++) {
    char *colon = strchr(argv[i], ':');
    if (!colon) add_module(out, argv[i]);
    else *colon = 0, walk(out, argv[i], strcmp(colon + 1, "lua") == 0 ? "" : colon + 1);
  }
  table(out, "it_embedded_lua", "lua", lua_files.items, lua_files.count);
  table(out, "it_embedded_modules", "module", modules.items, modules.count);
  if (fclose(out) != 0 || rename(temporary, argv[1]) != 0) die("cannot be written", argv[1]);
  return 0;
}
