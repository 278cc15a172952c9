/*
 * json_decode.c - JSON text to Lua values. See json.c for the whole.
 *
 * A recursive descent over a NUL-terminated text (Lua's strings are). Values are collected on the Lua stack and moved to
 * their table when a container ends, or every PENDING values of a long one: so tables are made in the right size at once.
 * Nothing is allocated but by Lua, so an error may leave at any point.
 */
#include "json.h"

#include <string.h>

enum { PENDING = 64, PENDING_DEEP = 8, DEEP = 100 };
enum duplicates { DUP_LAST, DUP_FIRST, DUP_ERROR };

static void value(json_reader *d);

/* ---- containers ---- */

static int enter(json_reader *d) {
  if (++d->depth > d->max_depth)
    json_fail(d, d->p, "depth", "more than %d levels of nesting", d->max_depth);
  luaL_checkstack(d->L, 2 * PENDING + 16, "JSON nested too deeply");
  d->p++;
  json_skip(d);
  return d->depth > DEEP ? PENDING_DEEP : PENDING;
}

/* Moves the `pending` values on the stack to the array of `have` below them, which is made with the first. */
static void array_flush(lua_State *L, lua_Integer have, int pending, bool last) {
  if (have == 0) {
    lua_createtable(L, last ? pending : pending * 4, 0);
    lua_pushvalue(L, JSON_ARRAY), lua_setmetatable(L, -2);
    lua_insert(L, -pending - 1);
  }
  int t = lua_gettop(L) - pending;
  for (int i = 1; i <= pending; i++) {
    lua_pushvalue(L, t + i);
    lua_rawseti(L, t, have + i);
  }
  lua_settop(L, t);
}

static void array(json_reader *d) {
  int batch = enter(d), pending = 0;
  lua_Integer have = 0;
  if (*d->p != ']') {
    for (;;) {
      value(d);
      if (++pending == batch) array_flush(d->L, have, pending, false), have += pending, pending = 0;
      json_skip(d);
      if (*d->p == ']') break;
      if (*d->p != ',')
        json_fail(d, d->p, "syntax", "expected ',' or ']' after an element, found %s",
                  json_found(d, d->p));
      d->p++;
      json_skip(d);
      if (*d->p == ']') json_fail(d, d->p, "syntax", "a comma before ']'");
    }
  }
  array_flush(d->L, have, pending, true);
  d->p++, d->depth--;
}

/* The same for the members of an object: pairs of key and value, in the text's order, so that the last of a key wins. */
static void object_flush(lua_State *L, bool made, int pending, bool last) {
  if (!made) {
    lua_createtable(L, 0, last ? pending : pending * 4);
    lua_insert(L, -2 * pending - 1);
  }
  int t = lua_gettop(L) - 2 * pending;
  for (int i = 1; i <= pending; i++) {
    lua_pushvalue(L, t + 2 * i - 1);
    lua_pushvalue(L, t + 2 * i);
    lua_rawset(L, t);
  }
  lua_settop(L, t);
}

/* "key": as far as the value. */
static void key(json_reader *d) {
  if (*d->p != '"')
    json_fail(d, d->p, "syntax", "expected a key in double quotes, found %s", json_found(d, d->p));
  json_string(d);
  json_skip(d);
  if (*d->p != ':')
    json_fail(d, d->p, "syntax", "expected ':' after a key, found %s", json_found(d, d->p));
  d->p++;
}

/* Another member follows: true; the object ends: false. */
static bool more(json_reader *d) {
  json_skip(d);
  if (*d->p == '}') return false;
  if (*d->p != ',')
    json_fail(d, d->p, "syntax", "expected ',' or '}' after a member, found %s",
              json_found(d, d->p));
  d->p++;
  json_skip(d);
  if (*d->p == '}') json_fail(d, d->p, "syntax", "a comma before '}'");
  return true;
}

/* One that watches for duplicates or keeps the order: member by member. */
static void careful_object(json_reader *d) {
  lua_State *L = d->L;
  lua_newtable(L);
  int t = lua_gettop(L);
  lua_newtable(L); /* t + 1: its keys in order */
  lua_Integer n = 0;
  bool another = *d->p != '}';
  while (another) {
    const char *at = d->p;
    key(d); /* t + 2 */
    lua_pushvalue(L, t + 2);
    bool again = lua_rawget(L, t) != LUA_TNIL;
    lua_pop(L, 1);
    if (again && d->duplicates == DUP_ERROR)
      json_fail(d, at, "duplicate", "the key \"%s\" again", lua_tostring(L, t + 2));
    if (!again) lua_pushvalue(L, t + 2), lua_rawseti(L, t + 1, ++n);
    value(d);
    if (again && d->duplicates == DUP_FIRST) lua_settop(L, t + 1);
    else lua_rawset(L, t);
    another = more(d);
  }
  if (d->ordered) {
    lua_createtable(L, 0, 2);
    lua_insert(L, t + 1);
    lua_setfield(L, t + 1, "__jsonorder");
    lua_pushliteral(L, "object"), lua_setfield(L, t + 1, "__jsontype");
    lua_setmetatable(L, t);
  } else lua_settop(L, t);
}

static void object(json_reader *d) {
  lua_State *L = d->L;
  int batch = enter(d), pending = 0;
  bool made = false;
  if (d->ordered || d->duplicates != DUP_LAST) careful_object(d);
  else if (*d->p == '}') {
    lua_newtable(L);
    lua_pushvalue(L, JSON_OBJECT),
        lua_setmetatable(L, -2); /* or it could be encoded as an empty array */
  } else {
    do {
      key(d);
      value(d);
      if (++pending == batch) object_flush(L, made, pending, false), made = true, pending = 0;
    } while (more(d));
    object_flush(L, made, pending, true);
  }
  d->p++, d->depth--;
}

static void value(json_reader *d) {
  json_skip(d);
  switch (*d->p) {
  case '{': object(d); break;
  case '[': array(d); break;
  case '"': json_string(d); break;
  case 't': json_literal(d, "true", 4), lua_pushboolean(d->L, 1); break;
  case 'f': json_literal(d, "false", 5), lua_pushboolean(d->L, 0); break;
  case 'n': json_literal(d, "null", 4), lua_pushvalue(d->L, JSON_NULL); break;
  case '-':
    if (d->p[1] == 'I') json_fail_value(d, d->p); /* fall through */
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': json_number(d); break;
  default: json_fail_value(d, d->p);
  }
}

/* decode(text [, options]) -> value */
int json_decode(lua_State *L) {
  static const char *const dups[] = {"last", "first", "error", NULL}, *const bigs[] = {
                                                                          "exact", "float", "error",
                                                                          NULL};
  size_t size;
  json_reader d = {.L = L, .max_depth = JSON_DEPTH, .name = "invalid JSON"};
  size_t max_size = JSON_SIZE;
  if (lua_type(L, 1) != LUA_TSTRING)
    it_usage(L, "json.decode: the text is a %s, not a string", luaL_typename(L, 1));
  d.start = d.p = lua_tolstring(L, 1, &size), d.end = d.start + size;
  if (!lua_isnoneornil(L, 2)) {
    json_limits(L, 2, &d.max_depth, &max_size);
    d.name = it_opt_string(L, 2, "name", d.name);
    d.utf8 = json_choice(L, 2, "utf8", json_utf8_names, UTF8_STRICT);
    d.duplicates = json_choice(L, 2, "duplicates", dups, DUP_LAST);
    d.big = json_choice(L, 2, "big", bigs, JSON_BIG_EXACT);
    d.ordered = it_opt_boolean(L, 2, "ordered", false);
  }
  if (size > max_size)
    it_raise(L, "json", "size", "%s: %zu bytes of JSON are more than max_size, %zu", d.name, size,
             max_size);
  value(&d);
  json_skip(&d);
  if (d.p < d.end)
    json_fail(&d, d.p, "syntax", "the value has ended, but the text goes on with %s",
              json_found(&d, d.p));
  return 1;
}
