/*
 * json_encode.c - Lua values to JSON text. See json.c for the whole.
 *
 * A recursive walk that writes into one buffer, which the module keeps between calls. No Lua code runs meanwhile (no
 * metamethods), so the tables cannot change under the walk. The chain of frames on the C stack is the path for messages.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum order { ORDER_KEPT, ORDER_SORTED, ORDER_ANY };
enum {
  STACKED = 20000,
  KEEP = 1 << 20
}; /* members of an object on the stack; bytes of buffer kept */

/* Where the walk is: one a container. */
typedef struct frame {
  const struct frame *up;
  const void *table;
  const char *key; /* NULL in an array */
  size_t size;
  lua_Integer index;
} frame;

typedef struct encoder {
  lua_State *L;
  json_sink *to;
  const void *null, *array, *object, *number; /* what marks them: identity of value or metatable */
  const char *indent;                         /* NULL: all on one line */
  size_t indent_size, max_size;
  int depth, max_depth, order, utf8;
  bool ascii, empty_array;
} encoder;

static void encode(encoder *e, const frame *up);

/* ---- the buffers ---- */

static char *reserve(encoder *e, size_t n) {
  it_buf *b = &e->to->out;
  if (b->capacity - b->size <= n) {
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity - b->size <= n) capacity *= 2;
    b->data = it_realloc(b->data, capacity), b->capacity = capacity;
  }
  return b->data + b->size;
}

static void put(encoder *e, const char *s, size_t n) {
  memcpy(reserve(e, n), s, n);
  e->to->out.size += n;
}

static void put1(encoder *e, char c) {
  *reserve(e, 1) = c;
  e->to->out.size++;
}

static void line(encoder *e) {
  if (!e->indent) return;
  put1(e, '\n');
  for (int i = 0; i < e->depth; i++) put(e, e->indent, e->indent_size);
}

/* ---- errors ---- */

/* Pushes ".orders[2].customer", or "the value" at the top. */
static const char *path(lua_State *L, const frame *f) {
  luaL_Buffer b;
  const frame *chain[24];
  int n = 0;
  bool cut = false;
  if (!f) return lua_pushliteral(L, "the value");
  for (; f; f = f->up) {
    if (n < 24) chain[n++] = f;
    else cut = true;
  }
  luaL_buffinit(L, &b);
  if (cut) luaL_addstring(&b, "…");
  while (n-- > 0) {
    f = chain[n];
    if (!f->key) lua_pushfstring(L, "[%I]", (LUAI_UACINT)f->index);
    else lua_pushfstring(L, ".%s", f->key);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

static _Noreturn void fail(encoder *e, const frame *f, const char *code, const char *fmt,
                           ...); /* fmt is Lua's */
static void fail(encoder *e, const frame *f, const char *code, const char *fmt, ...) {
  lua_State *L = e->L;
  va_list ap;
  e->to->busy = false;
  if (e->to->out.capacity > KEEP) json_sink_clear(e->to);
  luaL_checkstack(L, 12, NULL);
  va_start(ap, fmt);
  const char *what = lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  const char *at = path(L, f);
  int top = lua_gettop(L);
  it_error_push(L, "json", code, "cannot encode %s: %s", at, what);
  lua_pushvalue(L, top), lua_setfield(L, -2, "path");
  it_error_throw(L);
}

/* ---- scalars ---- */

static void integer(encoder *e, lua_Integer i) {
  e->to->out.size += json_integer_text(reserve(e, JSON_TEXT), i);
}

static void real(encoder *e, const frame *up, double d) {
  if (d != d) fail(e, up, "number", "not-a-number has no JSON form");
  if (d - d != 0) fail(e, up, "number", "infinity has no JSON form");
  e->to->out.size += json_real_text(reserve(e, JSON_TEXT), d);
}

static void string(encoder *e, const frame *up, const char *p, size_t size) {
  const char *end = p + size, *run;
  put1(e, '"');
  while (p < end) {
    run = p;
    while (end - p >= 8 && json_plain8(p)) p += 8;
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
      p++;
    put(e, run, (size_t)(p - run));
    if (p == end) break;
    size_t n = json_escape(reserve(e, JSON_TEXT), &p, e->utf8, e->ascii);
    if (n == 0)
      fail(e, up, "utf8", "a string with byte %d, which is no UTF-8", (int)(unsigned char)*p);
    e->to->out.size += n;
  }
  put1(e, '"');
}

/* ---- containers ---- */

static void enter(encoder *e, const frame *f, char bracket) {
  for (const frame *a = f->up; a; a = a->up)
    if (a->table == f->table) fail(e, f->up, "cycle", "the table contains itself");
  if (++e->depth > e->max_depth)
    fail(e, f->up, "depth", "more than %d levels of nesting", e->max_depth);
  if (!lua_checkstack(e->L, 16)) fail(e, f->up, "depth", "too much for the stack");
  put1(e, bracket);
}

static void leave(encoder *e, bool any, char bracket) {
  if (--e->depth, any) line(e);
  put1(e, bracket);
}

static void element(encoder *e, const frame *f) { /* pops it */
  if (f->index > 1) put1(e, ',');
  line(e);
  encode(e, f);
  lua_pop(e->L, 1);
}

static _Noreturn void fail_key(encoder *e, const frame *f, bool sequence) { /* the key is on top */
  lua_State *L = e->L;
  if (lua_isinteger(L, -1) && sequence)
    fail(e, f->up, "keys",
         "an array with holes: it has [%I], but not all before; json.null fills a hole",
         (LUAI_UACINT)lua_tointeger(L, -1));
  if (lua_type(L, -1) == LUA_TNUMBER) lua_pushvalue(L, -1), lua_tostring(L, -1);
  else if (lua_type(L, -1) != LUA_TSTRING) lua_pushstring(L, luaL_typename(L, -1));
  if (sequence)
    fail(e, f->up, "keys", "an array that also has the key \"%s\"", lua_tostring(L, -1));
  fail(e, f->up, "keys", "an object's key is a string, not %s", lua_tostring(L, -1));
}

/* The rest of an array whose keys `next` does not give in order; the first odd one is on top. */
static void array_rest(encoder *e, frame *f, int t) {
  lua_State *L = e->L;
  lua_Integer n = (lua_Integer)lua_rawlen(L, t), first = f->index, count = first - 1;
  do {
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < first || lua_tointeger(L, -1) > n)
      fail_key(e, f, true);
    count++;
  } while (lua_next(L, t) && (lua_pop(L, 1), true));
  if (count != n) {
    lua_pushinteger(L, n);
    fail_key(e, f, true);
  }
  for (; f->index <= n; f->index++) {
    lua_rawgeti(L, t, f->index);
    element(e, f);
  }
}

/* The table at `t`, its first key and value on top if `any`. Nearly always `next` gives 1, 2, 3, … */
static void array(encoder *e, const frame *up, int t, bool any) {
  lua_State *L = e->L;
  frame f = {.up = up, .table = lua_topointer(L, t), .index = 1};
  enter(e, &f, '[');
  while (any) {
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != f.index) {
      lua_pop(L, 1);
      array_rest(e, &f, t);
      break;
    }
    element(e, &f);
    f.index++;
    any = lua_next(L, t);
  }
  leave(e, f.index > 1, ']');
}

static void object_member(encoder *e, frame *f, const char *key, size_t size) { /* pops the value */
  bool first = f->key == NULL;
  f->key = key, f->size = size;
  if (!first) put1(e, ',');
  line(e);
  string(e, f, key, size);
  put(e, ": ", e->indent ? 2 : 1);
  encode(e, f);
  lua_pop(e->L, 1);
}

/* The members in order; the table at `t`, its first key and value on top. */
static void ordered_object(encoder *e, frame *f, int t, int order) {
  lua_State *L = e->L;
  json_sink *s = e->to;
  size_t first = s->count, n;
  bool stacked = lua_checkstack(L, 64);
  int top = lua_gettop(L) - 2;
  do {
    if (lua_type(L, -2) != LUA_TSTRING) lua_pop(L, 1), fail_key(e, f, false);
    if (s->count == s->capacity) {
      s->capacity = s->capacity ? s->capacity * 2 : 64;
      s->members = it_realloc(s->members, s->capacity * sizeof *s->members);
    }
    json_member *m = &s->members[s->count++];
    m->key = lua_tolstring(L, -2, &m->size);
    stacked =
        stacked && s->count < STACKED && ((s->count - first) % 32 != 0 || lua_checkstack(L, 64));
    if (stacked) lua_insert(L, -2), m->slot = lua_gettop(L) - 1;
    else lua_pop(L, 1), m->slot = 0;
  } while (lua_next(L, t));
  n = s->count - first;
  json_sort(s->members + first, n);
  if (order != 0) json_by_order(e->L, s->members + first, n, order);
  for (size_t i = 0; i < n; i++) {
    json_member m = s->members[first + i]; /* a copy: members may move while this one is encoded */
    if (m.slot > 0) lua_pushvalue(L, m.slot);
    else lua_pushlstring(L, m.key, m.size), lua_rawget(L, t);
    object_member(e, f, m.key, m.size);
  }
  s->count = first;
  lua_settop(L, top);
}

/* The table at `t`; `meta`: its metatable is just above it. First key and value on top if `any`. */
static void object(encoder *e, const frame *up, int t, bool meta, bool any) {
  lua_State *L = e->L;
  frame f = {.up = up, .table = lua_topointer(L, t)};
  int order = 0;
  enter(e, &f, '{');
  if (any && meta && e->order == ORDER_KEPT) {
    lua_pushliteral(L, "__jsonorder");
    if (lua_rawget(L, t + 1) == LUA_TTABLE) lua_replace(L, t + 1), order = t + 1;
    else lua_pop(L, 1);
  }
  if (any && e->order != ORDER_ANY) ordered_object(e, &f, t, order);
  else if (any) {
    do {
      size_t size;
      if (lua_type(L, -2) != LUA_TSTRING) lua_pop(L, 1), fail_key(e, &f, false);
      const char *key = lua_tolstring(L, -2, &size);
      object_member(e, &f, key, size);
    } while (lua_next(L, t));
  }
  leave(e, any, '}');
}

/* 'a', 'o' or 0: what the metatable on top says that its table is. */
static int marked(encoder *e) {
  lua_State *L = e->L;
  int is = 0;
  const void *mt = lua_topointer(L, -1);
  if (mt == e->array) return 'a';
  if (mt == e->object) return 'o';
  lua_pushliteral(L, "__jsontype");
  if (lua_rawget(L, -2) == LUA_TSTRING) is = strcmp(lua_tostring(L, -1), "array") ? 'o' : 'a';
  lua_pop(L, 1);
  return is;
}

static void table(encoder *e, const frame *up) {
  lua_State *L = e->L;
  if (!lua_checkstack(L, 8)) fail(e, up, "depth", "too much for the stack");
  int t = lua_gettop(L), is = 0;
  bool meta = lua_getmetatable(L, t);
  if (meta) is = marked(e);
  lua_pushnil(L);
  bool any = lua_next(L, t);
  if (is == 0 && any)
    is = lua_type(L, -2) == LUA_TSTRING && lua_rawlen(L, t) == 0 ? 'o'
         : lua_rawlen(L, t) > 0                                  ? 'a'
                                                                 : 'o';
  if (is == 'a' || (is == 0 && e->empty_array)) array(e, up, t, any);
  else object(e, up, t, meta, any);
  lua_settop(L, t);
}

static void check_size(encoder *e, const frame *up) {
  if (e->to->out.size > e->max_size)
    fail(e, up, "size", "the text gets longer than max_size, %I bytes", (LUAI_UACINT)e->max_size);
}

/* The value on top of the stack; leaves it there. */
static void encode(encoder *e, const frame *up) {
  lua_State *L = e->L;
  size_t size;
  const char *s;
  int type = lua_type(L, -1);
  check_size(e, up);
  switch (type) {
  case LUA_TSTRING:
    s = lua_tolstring(L, -1, &size);
    string(e, up, s, size);
    break;
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) integer(e, lua_tointeger(L, -1));
    else real(e, up, lua_tonumber(L, -1));
    break;
  case LUA_TBOOLEAN: lua_toboolean(L, -1) ? put(e, "true", 4) : put(e, "false", 5); break;
  case LUA_TTABLE: table(e, up); break;
  case LUA_TUSERDATA:
    if (lua_touserdata(L, -1) == e->null) {
      put(e, "null", 4);
      break;
    }
    if (lua_getmetatable(L, -1)) {
      bool number = lua_topointer(L, -1) == e->number;
      lua_pop(L, 1);
      if (number) {
        put(e, lua_touserdata(L, -1), lua_rawlen(L, -1) - 1);
        break;
      }
    } /* fall through */
  default:
    if (type == LUA_TNIL) fail(e, up, "type", "nil has no JSON form; json.null has");
    fail(e, up, "type", "a %s has no JSON form", luaL_typename(L, -1));
  }
}

/* ---- the function ---- */

static void options(encoder *e) {
  static const char *const orders[] = {"kept", "sorted", "any", NULL};
  static const char *const empties[] = {"object", "array", NULL};
  lua_State *L = e->L;
  json_limits(L, 2, &e->max_depth, &e->max_size);
  e->order = json_choice(L, 2, "order", orders, ORDER_KEPT);
  e->utf8 = json_choice(L, 2, "utf8", json_utf8_names, UTF8_STRICT);
  e->empty_array = json_choice(L, 2, "empty", empties, 0) == 1;
  e->ascii = it_opt_boolean(L, 2, "ascii", false);
  switch (lua_getfield(L, 2, "pretty")) { /* stays on the stack: it may be the indent */
  case LUA_TNIL: break;
  case LUA_TBOOLEAN: e->indent = lua_toboolean(L, -1) ? "  " : NULL; break;
  case LUA_TSTRING: e->indent = lua_tostring(L, -1); break;
  default: it_usage(L, "json.encode: the option 'pretty' is true or the indent, a string");
  }
  e->indent_size = e->indent ? strlen(e->indent) : 0;
  if (e->indent && strspn(e->indent, " \t") != e->indent_size)
    it_usage(L, "json.encode: an indent is spaces or tabs");
}

/* encode(value [, options]) -> text */
int json_encode(lua_State *L) {
  encoder e = {.L = L, .max_depth = JSON_DEPTH, .max_size = JSON_SIZE};
  luaL_checkany(L, 1);
  if (!lua_isnoneornil(L, 2)) options(&e);
  e.null = lua_topointer(L, JSON_NULL);
  e.array = lua_topointer(L, JSON_ARRAY);
  e.object = lua_topointer(L, JSON_OBJECT);
  e.number = lua_topointer(L, JSON_NUMBER);
  json_sink *s = e.to = lua_touserdata(L, JSON_SINK);
  if (s->busy) {
    json_sink_push(L);
    lua_getmetatable(L, JSON_SINK), lua_setmetatable(L, -2);
    s = e.to = lua_touserdata(L, -1);
  }
  s->busy = true, s->out.size = 0, s->count = 0;
  lua_pushvalue(L, 1);
  encode(&e, NULL);
  check_size(&e, NULL);
  lua_pushlstring(L, s->out.data, s->out.size);
  s->busy = false;
  if (s->out.capacity > KEEP || s->capacity > KEEP / sizeof *s->members) json_sink_clear(s);
  return 1;
}
