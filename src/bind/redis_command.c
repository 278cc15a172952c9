/*
 * redis_command.c - commands in the protocol's words: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" (redis.io, RESP: arrays of bulk strings).
 *
 * Those of a pipeline are written as they are queued, into one text: it is what is sent, what the timeline keeps and what a
 * report reads. hiredis' own formatting allocates thrice a command.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#define QUEUE_TYPE "itlua.redis.queue"

/* ---- writing ---- */

/* "*3\r\n" or "$3\r\n" */
static void write_head(it_buf *out, char kind, size_t n) {
  char text[24], *at = text + sizeof text;
  *--at = '\n';
  *--at = '\r';
  do *--at = (char)('0' + n % 10);
  while (n /= 10);
  *--at = kind;
  it_buf_add(out, at, (size_t)(text + sizeof text - at));
}

/* The string or number at `idx`, which becomes a string; of a float all digits where Lua's own text has too few. */
static void write_word(lua_State *L, int idx, it_buf *out) {
  bool is_number = lua_type(L, idx) == LUA_TNUMBER;
  lua_Number number = lua_tonumber(L, idx);
  size_t size;
  char digits[32];
  const char *word = lua_tolstring(L, idx, &size);
  if (is_number && number == number && strtod(word, NULL) != number) {
    size = (size_t)snprintf(digits, sizeof digits, "%.17g", number);
    word = digits;
  }
  write_head(out, '$', size);
  it_buf_add(out, word, size);
  it_buf_add(out, "\r\n", 2);
}

static void check_words(lua_State *L, int idx) {
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  if (n == 0) it_usage(L, "a Redis command needs a name");
  for (lua_Integer i = 1; i <= n; i++) {
    int type = lua_rawgeti(L, idx, i);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
      it_usage(L, "argument %d of the Redis command must be a string or a number, not a %s",
               (int)i - 1, lua_typename(L, type));
    lua_pop(L, 1);
  }
}

void redis_write_command(lua_State *L, int idx, it_buf *out) {
  check_words(L, idx); /* before anything is written: half a command would be part of the next */
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  write_head(out, '*', (size_t)n);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, idx, i);
    write_word(L, -1, out);
    lua_pop(L, 1);
  }
}

/* ---- reading what was written here ---- */

/* Behind "*3\r\n" or "$3\r\n"; NULL where there is none. */
static const char *read_head(const char *at, const char *end, char kind, size_t *n) {
  if (at >= end || *at != kind) return NULL;
  *n = 0;
  for (at++; at < end && *at >= '0' && *at <= '9'; at++) *n = *n * 10 + (size_t)(*at - '0');
  return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

const char *redis_read_word(const char *at, const char *end, const char **word, size_t *size) {
  at = read_head(at, end, '$', size);
  if (!at || (size_t)(end - at) < *size || (size_t)(end - at) - *size < 2) return NULL;
  *word = at;
  return at + *size + 2;
}

const char *redis_read_command(const char *at, const char *end, size_t *words) {
  return read_head(at, end, '*', words);
}

const char *redis_command_end(const char *at, const char *end) {
  size_t words, size;
  const char *word;
  at = redis_read_command(at, end, &words);
  while (at && words--) at = redis_read_word(at, end, &word, &size);
  return at;
}

/* words(text) -> the commands of it, each a list of strings */
static int l_words(lua_State *L) {
  size_t length, words, size;
  const char *at = luaL_checklstring(L, 1, &length), *end = at + length, *word;
  lua_newtable(L);
  for (lua_Integer i = 1; at && at < end; i++) {
    if (!(at = redis_read_command(at, end, &words))) break;
    lua_newtable(L);
    for (lua_Integer k = 1; k <= (lua_Integer)words; k++) {
      if (!(at = redis_read_word(at, end, &word, &size))) break;
      lua_pushlstring(L, word, size);
      lua_rawseti(L, -2, k);
    }
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* ---- the queue of a pipeline: open, until it is closed ---- */

typedef struct queue {
  it_buf text;
  lua_Integer count;
  bool closed;
} queue;

static int l_queue(lua_State *L) {
  queue *q = lua_newuserdatauv(L, sizeof *q, 0);
  *q = (queue){.count = 0};
  luaL_setmetatable(L, QUEUE_TYPE);
  return 1;
}

static bool all_words(lua_State *L, int from, int to) {
  for (int i = from; i <= to; i++) {
    int type = lua_type(L, i);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) return false;
  }
  return true;
}

enum { SPREAD = 1, FIRST, SECOND }; /* upvalues of `add` */

/* What has tables among its arguments: Lua's function makes a list of it. */
static void add_spread(lua_State *L, queue *q, bool second) {
  int given = lua_gettop(L) - 1;
  lua_pushvalue(L, lua_upvalueindex(SPREAD));
  lua_insert(L, 2);
  lua_pushvalue(L, lua_upvalueindex(FIRST));
  lua_insert(L, 3);
  if (second) {
    lua_pushvalue(L, lua_upvalueindex(SECOND));
    lua_insert(L, 4);
  }
  lua_call(L, given + (second ? 2 : 1), 1);
  redis_write_command(L, 2, &q->text);
}

static int add(lua_State *L) {
  queue *q = luaL_testudata(L, 1, QUEUE_TYPE);
  if (!q) it_usage(L, "commands are queued with a colon: p:set(key, value)");
  if (q->closed) it_usage(L, "the commands were sent already; queue them inside the function");
  bool second = !lua_isnil(L, lua_upvalueindex(SECOND));
  int top = lua_gettop(L);
  if (!all_words(L, 2, top)) {
    add_spread(L, q, second);
  } else {
    write_head(&q->text, '*', (size_t)top + (second ? 1 : 0));
    write_word(L, lua_upvalueindex(FIRST), &q->text);
    if (second) write_word(L, lua_upvalueindex(SECOND), &q->text);
    for (int i = 2; i <= top; i++) write_word(L, i, &q->text);
  }
  q->count++;
  lua_settop(L, 1);
  return 1;
}

/* adder(spread, first, second | nil) -> the method of a queue that adds the command "first second …" */
static int l_adder(lua_State *L) {
  luaL_checkstring(L, FIRST);
  lua_settop(L, SECOND);
  lua_pushcclosure(L, add, SECOND);
  return 1;
}

/* text(queue) -> its commands, as they are sent */
static int l_text(lua_State *L) {
  const queue *q = luaL_checkudata(L, 1, QUEUE_TYPE);
  lua_pushlstring(L, q->text.data ? q->text.data : "", q->text.size);
  return 1;
}

static int queue_length(lua_State *L) {
  const queue *q = luaL_checkudata(L, 1, QUEUE_TYPE);
  lua_pushinteger(L, q->count);
  return 1;
}

static int queue_close(lua_State *L) {
  queue *q = luaL_checkudata(L, 1, QUEUE_TYPE);
  q->closed = true;
  it_buf_free(&q->text);
  return 0;
}

void redis_register_commands(lua_State *L) {
  static const luaL_Reg of_queue[] = {
      {"__len", queue_length}, {"__close", queue_close}, {"__gc", queue_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"queue", l_queue}, {"adder", l_adder}, {"text", l_text}, {"words", l_words}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, QUEUE_TYPE);
  luaL_setfuncs(L, of_queue, 0);
  lua_setfield(L, -2, "Queue");
}
