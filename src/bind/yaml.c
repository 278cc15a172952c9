/*
 * yaml.c - itlua.yaml.core: YAML to values over libyaml's parser. Plain scalars follow YAML 1.2's core schema (null, true,
 * false, integers, floats; "yes" and "no" are strings). Aliases give the same table again.
 *
 * The parser is in a userdata that ends it, so an error raised anywhere leaks nothing.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "itlua.h"

enum { MAX_DEPTH = 200, MAX_ALIASES = 10000 };

typedef struct reader {
  yaml_parser_t parser;
  yaml_event_t event;
  bool open, has_event;
  int depth, aliases;
  int anchors; /* stack index: anchor -> value */
} reader;

static void drop_event(reader *r) {
  if (r->has_event) yaml_event_delete(&r->event);
  r->has_event = false;
}

static int reader_gc(lua_State *L) {
  reader *r = lua_touserdata(L, 1);
  drop_event(r);
  if (r->open) yaml_parser_delete(&r->parser);
  r->open = false;
  return 0;
}

_Noreturn static void fail_at(lua_State *L, const yaml_mark_t *mark, const char *what) {
  it_error_push(L, "yaml", "SYNTAX", "line %zu, column %zu: %s", mark->line + 1, mark->column + 1,
                what);
  lua_pushinteger(L, (lua_Integer)mark->line + 1);
  lua_setfield(L, -2, "line");
  lua_pushinteger(L, (lua_Integer)mark->column + 1);
  lua_setfield(L, -2, "column");
  it_error_throw(L);
}

static yaml_event_type_t next(lua_State *L, reader *r) {
  drop_event(r);
  if (!yaml_parser_parse(&r->parser, &r->event))
    fail_at(L, &r->parser.problem_mark, r->parser.problem ? r->parser.problem : "not YAML");
  r->has_event = true;
  return r->event.type;
}

static bool push_number(lua_State *L, const char *text) {
  const char *digits = text + (*text == '-' || *text == '+');
  if (strcmp(digits, ".inf") == 0 || strcmp(digits, ".Inf") == 0 || strcmp(digits, ".INF") == 0) {
    lua_pushnumber(L, *text == '-' ? -HUGE_VAL : HUGE_VAL);
    return true;
  }
  if (strncmp(digits, "0o", 2) == 0 && digits == text && digits[2] &&
      strspn(digits + 2, "01234567") == strlen(digits + 2)) {
    lua_pushinteger(L, strtoll(digits + 2, NULL, 8));
    return true;
  }
  if (strncmp(digits, "0x", 2) == 0 && digits == text && digits[2] &&
      strspn(digits + 2, "0123456789abcdefABCDEF") == strlen(digits + 2)) {
    lua_pushinteger(L, (lua_Integer)strtoull(digits + 2, NULL, 16));
    return true;
  }
  size_t whole = strspn(digits, "0123456789"), size = strlen(digits);
  if (size == 0 || (whole == 0 && *digits != '.')) return false;
  if (whole == size) {
    errno = 0;
    long long n = strtoll(text, NULL, 10);
    if (errno == ERANGE) return false; /* kept as the text it is: exact */
    lua_pushinteger(L, n);
    return true;
  }
  if (strspn(digits, "0123456789.eE+-") != size || !strpbrk(digits, "0123456789")) return false;
  char *end;
  double d = strtod(text, &end);
  if (*end) return false;
  lua_pushnumber(L, d);
  return true;
}

static void push_scalar(lua_State *L, const yaml_event_t *e) {
  const char *text = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
  size_t size = e->data.scalar.length;
  bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;
  if (!plain) {
    lua_pushlstring(L, text, size);
  } else if (size == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
             strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0) {
    it_push_null(L);
  } else if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0) {
    lua_pushboolean(L, 1);
  } else if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0 ||
             strcmp(text, "FALSE") == 0) {
    lua_pushboolean(L, 0);
  } else if (!push_number(L, text)) {
    lua_pushlstring(L, text, size);
  }
}

static void remember(lua_State *L, const reader *r, const char *anchor) {
  if (!anchor) return;
  lua_pushvalue(L, -1);
  lua_setfield(L, r->anchors, anchor);
}

static void push_value(lua_State *L, reader *r);

static void push_sequence(lua_State *L, reader *r) {
  lua_newtable(L);
  remember(L, r, (const char *)r->event.data.sequence_start.anchor);
  for (lua_Integer i = 1; next(L, r) != YAML_SEQUENCE_END_EVENT; i++) {
    push_value(L, r);
    lua_rawseti(L, -2, i);
  }
}

/* `<<: *other` (or a list of them) gives the mapping at `map` what it does not have itself. */
static void merge(lua_State *L, int map, int from) {
  from = lua_absindex(L, from);
  for (lua_Integer i = 1; lua_rawgeti(L, from, i) == LUA_TTABLE; i++, lua_pop(L, 1))
    merge(L, map, -1);
  lua_pop(L, 1);
  if (lua_rawlen(L, from) > 0) return;
  lua_pushnil(L);
  while (lua_next(L, from)) {
    lua_pushvalue(L, -2);
    bool has = lua_rawget(L, map) != LUA_TNIL;
    lua_pop(L, 1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    if (has) {
      lua_pop(L, 2);
    } else {
      lua_rawset(L, map);
    }
  }
}

static void check_new_key(lua_State *L, int map, const yaml_mark_t *mark) {
  lua_pushvalue(L, -1);
  if (lua_rawget(L, map) != LUA_TNIL) {
    lua_pushfstring(L, "the key '%s' is there twice", luaL_tolstring(L, -2, NULL));
    fail_at(L, mark, lua_tostring(L, -1));
  }
  lua_pop(L, 1);
}

static void push_mapping(lua_State *L, reader *r) {
  lua_newtable(L);
  int map = lua_gettop(L);
  remember(L, r, (const char *)r->event.data.mapping_start.anchor);
  lua_pushnil(L); /* what is merged into it, in the end */
  while (next(L, r) != YAML_MAPPING_END_EVENT) {
    yaml_mark_t mark = r->event.start_mark;
    push_value(L, r);
    bool is_merge = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "<<") == 0;
    if (!is_merge) check_new_key(L, map, &mark);
    next(L, r);
    push_value(L, r);
    if (is_merge && lua_istable(L, -1)) {
      lua_replace(L, map + 1);
      lua_settop(L, map + 1);
    } else {
      lua_rawset(L, map);
    }
  }
  if (lua_istable(L, -1)) merge(L, map, -1);
  lua_settop(L, map);
}

/* Pushes the value that the current event begins. */
static void push_value(lua_State *L, reader *r) {
  luaL_checkstack(L, 12, "YAML nested too deeply");
  if (++r->depth > MAX_DEPTH) fail_at(L, &r->event.start_mark, "nested more than 200 levels deep");
  switch (r->event.type) {
  case YAML_SCALAR_EVENT:
    push_scalar(L, &r->event);
    remember(L, r, (const char *)r->event.data.scalar.anchor);
    break;
  case YAML_SEQUENCE_START_EVENT: push_sequence(L, r); break;
  case YAML_MAPPING_START_EVENT: push_mapping(L, r); break;
  case YAML_ALIAS_EVENT:
    if (++r->aliases > MAX_ALIASES) fail_at(L, &r->event.start_mark, "more than 10000 aliases");
    if (lua_getfield(L, r->anchors, (const char *)r->event.data.alias.anchor) == LUA_TNIL)
      fail_at(L, &r->event.start_mark, "an alias of nothing");
    break;
  default: fail_at(L, &r->event.start_mark, "a value is missing");
  }
  r->depth--;
}

/* decode(text) -> list of documents */
static int l_decode(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_settop(L, 1);
  reader *r = lua_newuserdatauv(L, sizeof *r, 0);
  memset(r, 0, sizeof *r);
  luaL_setmetatable(L, "itlua.yaml.reader");
  if (!yaml_parser_initialize(&r->parser)) it_raise(L, "yaml", "ENOMEM", "out of memory");
  r->open = true;
  yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
  lua_newtable(L); /* 3: the documents */
  lua_newtable(L); /* 4: anchors */
  r->anchors = 4;
  lua_Integer n = 0;
  while (next(L, r) != YAML_STREAM_END_EVENT) {
    if (r->event.type != YAML_DOCUMENT_START_EVENT) continue;
    next(L, r);
    push_value(L, r);
    lua_rawseti(L, 3, ++n);
    next(L, r); /* the document's end */
  }
  lua_settop(L, 3);
  return 1;
}

IT_API int luaopen_itlua_yaml_core(lua_State *L);

int luaopen_itlua_yaml_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"decode", l_decode}, {NULL, NULL}};
  luaL_newmetatable(L, "itlua.yaml.reader");
  lua_pushcfunction(L, reader_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_pushstring(L, yaml_get_version_string());
  lua_setfield(L, -2, "version");
  return 1;
}
