/*
 * frames.c - fuzz target of what workers and the supervisor say to each other: a stream of lines of JSON, cut anywhere, from
 * a process that may have been killed in the middle of a word. Whatever comes, a line decodes or is refused with a reason;
 * what was decoded is encoded and decoded again to the same value; and where the stream is cut makes no difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/app/frame.h"
#include "core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(lua_State *L, const char *module) {
  (void)L;
  (void)module;
  return false;
}

static lua_CFunction find(lua_State *L, const char *module) {
  (void)L;
  (void)module;
  return NULL;
}

/* The order of an object's members is nobody's business. */
static const char SAME[] =
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then\n"
    "    return a == b and math.type(a) == math.type(b) end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "return same";

static lua_State *state(void) {
  static const it_host host = {load, find};
  static it_sched sched;
  static lua_State *L;
  if (L) return L;
  it_sched_open(&sched, &host);
  L = it_state_lua(it_state_new(&sched, "fuzz"));
  if (luaL_dostring(L, SAME) != LUA_OK) abort();
  lua_setfield(L, LUA_REGISTRYINDEX, "same");
  return L;
}

static void check(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "frames: %s\n", what);
  abort();
}

/* encode(value) -> text, as a Lua function, for what it raises */
static int l_encode(lua_State *L) {
  it_buf *out = lua_touserdata(L, 2);
  it_frame_encode(L, 1, out);
  return 0;
}

/* Pops the value. False when it has no text (a number that JSON has no word for). */
static bool encode(lua_State *L, it_buf *out) {
  lua_pushcfunction(L, l_encode);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, out);
  bool ok = lua_pcall(L, 2, 0, 0) == LUA_OK;
  if (!ok) lua_pop(L, 1);
  return ok;
}

static void one_line(lua_State *L, const char *line, size_t size) {
  int top = lua_gettop(L);
  const char *wrong = it_frame_decode(L, line, size);
  if (wrong) {
    check(lua_gettop(L) == top && *wrong, "a refusal pushes nothing and has a reason");
    return;
  }
  check(lua_gettop(L) == top + 1, "one value");
  it_buf text = {0};
  lua_pushvalue(L, -1);
  if (lua_istable(L, -1) && encode(L, &text)) {
    check(text.size > 0 && text.data[text.size - 1] == '\n', "a line ends");
    check(!memchr(text.data, '\n', text.size - 1), "a line is one line");
    lua_getfield(L, LUA_REGISTRYINDEX, "same");
    lua_insert(L, -2);
    wrong = it_frame_decode(L, text.data, text.size - 1);
    check(!wrong, wrong ? wrong : "");
    lua_call(L, 2, 1);
    check(lua_toboolean(L, -1), "the same value again");
  }
  it_buf_free(&text);
  lua_settop(L, top);
}

/* Lines and their bytes, of the stream in pieces of `piece` bytes. */
static size_t lines(const uint8_t *data, size_t size, size_t piece, lua_State *L, size_t *bytes) {
  it_frames f = {0};
  size_t count = 0, length;
  *bytes = 0;
  for (size_t at = 0; at < size; at += piece) {
    it_frames_add(&f, data + at, size - at < piece ? size - at : piece);
    for (const char *line; (line = it_frames_next(&f, &length)); count++) {
      *bytes += length;
      if (L) one_line(L, line, length);
    }
  }
  *bytes += it_frames_rest(&f);
  it_frames_free(&f);
  return count;
}

/* Any bytes survive as a string. */
static void as_string(lua_State *L, const uint8_t *data, size_t size) {
  it_buf out = {0};
  lua_newtable(L);
  lua_pushlstring(L, (const char *)data, size);
  lua_setfield(L, -2, "text");
  check(encode(L, &out), "a string is encoded");
  check(!it_frame_decode(L, out.data, out.size - 1), "and decoded");
  lua_getfield(L, -1, "text");
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  check(text && length == size && memcmp(text, data, size) == 0, "to the same bytes");
  it_buf_free(&out);
  lua_settop(L, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = state();
  if (size == 0) return 0;
  size_t whole, cut, piece = data[0] % 7u + 1;
  size_t count = lines(data, size, size, L, &whole);
  check(lines(data, size, piece, NULL, &cut) == count && whole == cut, "cut elsewhere");
  as_string(L, data, size);
  lua_settop(L, 0);
  return 0;
}
