/*
 * sql_types.c - which type a column or a parameter has, and its text as a Lua value.
 *
 * PostgreSQL's own types are in the table below; the user's (enums, domains, composites, arrays of them) are looked up once
 * a connection by lua/itlua/sql/types.lua, which tells them by learn(). Everything that is no number, truth value, bytes,
 * JSON or array stays the text that the server writes.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

static const struct builtin {
  Oid oid, array;
  const char *name;
  sql_kind kind;
  char delimiter; /* in an array of it; 0: a comma */
} builtins[] = {
    {16, 1000, "bool", SQL_BOOL, 0},
    {17, 1001, "bytea", SQL_BYTEA, 0},
    {18, 1002, "char", SQL_TEXT, 0},
    {19, 1003, "name", SQL_TEXT, 0},
    {20, 1016, "int8", SQL_INT, 0},
    {21, 1005, "int2", SQL_INT, 0},
    {22, 1006, "int2vector", SQL_TEXT, 0},
    {23, 1007, "int4", SQL_INT, 0},
    {24, 1008, "regproc", SQL_TEXT, 0},
    {25, 1009, "text", SQL_TEXT, 0},
    {26, 1028, "oid", SQL_INT, 0},
    {27, 1010, "tid", SQL_TEXT, 0},
    {28, 1011, "xid", SQL_INT, 0},
    {29, 1012, "cid", SQL_INT, 0},
    {30, 1013, "oidvector", SQL_TEXT, 0},
    {114, 199, "json", SQL_JSON, 0},
    {142, 143, "xml", SQL_TEXT, 0},
    {194, 0, "pg_node_tree", SQL_TEXT, 0},
    {600, 1017, "point", SQL_TEXT, 0},
    {601, 1018, "lseg", SQL_TEXT, 0},
    {602, 1019, "path", SQL_TEXT, 0},
    {603, 1020, "box", SQL_TEXT, ';'},
    {604, 1027, "polygon", SQL_TEXT, 0},
    {628, 629, "line", SQL_TEXT, 0},
    {650, 651, "cidr", SQL_TEXT, 0},
    {700, 1021, "float4", SQL_FLOAT, 0},
    {701, 1022, "float8", SQL_FLOAT, 0},
    {705, 0, "unknown", SQL_TEXT, 0},
    {718, 719, "circle", SQL_TEXT, 0},
    {774, 775, "macaddr8", SQL_TEXT, 0},
    {790, 791, "money", SQL_TEXT, 0},
    {829, 1040, "macaddr", SQL_TEXT, 0},
    {869, 1041, "inet", SQL_TEXT, 0},
    {1033, 1034, "aclitem", SQL_TEXT, 0},
    {1042, 1014, "bpchar", SQL_TEXT, 0},
    {1043, 1015, "varchar", SQL_TEXT, 0},
    {1082, 1182, "date", SQL_TEXT, 0},
    {1083, 1183, "time", SQL_TEXT, 0},
    {1114, 1115, "timestamp", SQL_TEXT, 0},
    {1184, 1185, "timestamptz", SQL_TEXT, 0},
    {1186, 1187, "interval", SQL_TEXT, 0},
    {1266, 1270, "timetz", SQL_TEXT, 0},
    {1560, 1561, "bit", SQL_TEXT, 0},
    {1562, 1563, "varbit", SQL_TEXT, 0},
    {1700, 1231, "numeric", SQL_NUMERIC, 0},
    {1790, 2201, "refcursor", SQL_TEXT, 0},
    {2202, 2207, "regprocedure", SQL_TEXT, 0},
    {2203, 2208, "regoper", SQL_TEXT, 0},
    {2204, 2209, "regoperator", SQL_TEXT, 0},
    {2205, 2210, "regclass", SQL_TEXT, 0},
    {2206, 2211, "regtype", SQL_TEXT, 0},
    {2249, 2287, "record", SQL_TEXT, 0},
    {2275, 1263, "cstring", SQL_TEXT, 0},
    {2278, 0, "void", SQL_TEXT, 0},
    {2950, 2951, "uuid", SQL_TEXT, 0},
    {2970, 2949, "txid_snapshot", SQL_TEXT, 0},
    {3220, 3221, "pg_lsn", SQL_TEXT, 0},
    {3614, 3643, "tsvector", SQL_TEXT, 0},
    {3615, 3645, "tsquery", SQL_TEXT, 0},
    {3734, 3735, "regconfig", SQL_TEXT, 0},
    {3769, 3770, "regdictionary", SQL_TEXT, 0},
    {3802, 3807, "jsonb", SQL_JSON, 0},
    {3904, 3905, "int4range", SQL_TEXT, 0},
    {3906, 3907, "numrange", SQL_TEXT, 0},
    {3908, 3909, "tsrange", SQL_TEXT, 0},
    {3910, 3911, "tstzrange", SQL_TEXT, 0},
    {3912, 3913, "daterange", SQL_TEXT, 0},
    {3926, 3927, "int8range", SQL_TEXT, 0},
    {4072, 4073, "jsonpath", SQL_TEXT, 0},
    {4089, 4090, "regnamespace", SQL_TEXT, 0},
    {4096, 4097, "regrole", SQL_TEXT, 0},
    {4191, 4192, "regcollation", SQL_TEXT, 0},
    {4451, 6150, "int4multirange", SQL_TEXT, 0},
    {4532, 6151, "nummultirange", SQL_TEXT, 0},
    {4533, 6152, "tsmultirange", SQL_TEXT, 0},
    {4534, 6153, "tstzmultirange", SQL_TEXT, 0},
    {4535, 6155, "datemultirange", SQL_TEXT, 0},
    {4536, 6157, "int8multirange", SQL_TEXT, 0},
    {5038, 5039, "pg_snapshot", SQL_TEXT, 0},
    {5069, 271, "xid8", SQL_TEXT, 0},
};

enum { BUILTINS = sizeof builtins / sizeof *builtins };

const char *sql_kind_name(sql_kind kind) {
  static const char *const names[] = {"text",    "bool",  "int",  "float",
                                      "numeric", "bytea", "json", "array"};
  return names[kind];
}

static int by_oid(const void *key, const void *item) {
  Oid wanted = *(const Oid *)key, oid = ((const struct builtin *)item)->oid;
  return (wanted > oid) - (wanted < oid);
}

static bool builtin_of(Oid oid, sql_type *type) {
  const struct builtin *b = bsearch(&oid, builtins, BUILTINS, sizeof *builtins, by_oid);
  if (b) {
    *type = (sql_type){oid, b->kind, 0, SQL_TEXT, ',', b->name};
    return true;
  }
  for (b = builtins; b < builtins + BUILTINS; b++) {
    if (b->array != oid) continue;
    *type = (sql_type){oid, SQL_ARRAY, b->oid, b->kind, b->delimiter ? b->delimiter : ',', b->name};
    return true;
  }
  return false;
}

bool sql_type_of(const sql_conn *c, Oid oid, sql_type *type) {
  if (builtin_of(oid, type)) return true;
  for (size_t i = 0; i < c->learned_count; i++) {
    if (c->learned[i].type.oid != oid) continue;
    *type = c->learned[i].type;
    return true;
  }
  *type = (sql_type){oid, SQL_TEXT, 0, SQL_TEXT, ',', "unknown"};
  return false;
}

void sql_push_type_name(lua_State *L, const sql_type *t) {
  lua_pushfstring(L, "%s%s", t->name, t->kind == SQL_ARRAY ? "[]" : "");
}

/* knows(handle, oid) -> whether this type is known */
int sql_knows(lua_State *L) {
  sql_type ignored;
  lua_pushboolean(L, sql_type_of(sql_check(L, 1), (Oid)luaL_checkinteger(L, 2), &ignored));
  return 1;
}

/* learn(handle, oid, name [, base [, delimiter]]): a type of the user's. With a delimiter it is an array of `base`, which is
 * known; with a base alone it is stored as that (a domain); without, it is text (an enum, a composite). */
int sql_learn(lua_State *L) {
  sql_conn *c = sql_check(L, 1);
  Oid oid = (Oid)luaL_checkinteger(L, 2);
  const char *name = luaL_checkstring(L, 3), *delimiter = luaL_optstring(L, 5, NULL);
  sql_type base, type = {oid, SQL_TEXT, 0, SQL_TEXT, ',', NULL};
  if (!lua_isnoneornil(L, 4)) {
    sql_type_of(c, (Oid)luaL_checkinteger(L, 4), &base);
    type = base;
    type.oid = oid;
    if (delimiter) type = (sql_type){oid, SQL_ARRAY, base.oid, base.kind, *delimiter, NULL};
  }
  c->learned = it_realloc(c->learned, (c->learned_count + 1) * sizeof *c->learned);
  sql_learned *l = &c->learned[c->learned_count++];
  l->name = it_strdup(name);
  l->type = type;
  l->type.name = l->name;
  return 0;
}

void sql_forget_types(sql_conn *c) {
  for (size_t i = 0; i < c->learned_count; i++) free(c->learned[i].name);
  free(c->learned);
  c->learned = NULL;
  c->learned_count = 0;
}

/* ---- text to values ---- */

static lua_Integer integer_of(const char *p, size_t size) {
  const char *end = p + size;
  bool negative = *p == '-';
  uint64_t n = 0;
  for (p += negative; p < end && *p >= '0' && *p <= '9'; p++) n = n * 10 + (uint64_t)(*p - '0');
  return (lua_Integer)(negative ? 0 - n : n);
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0;
}

static void push_bytes(lua_State *L, const char *text, size_t size) {
  luaL_Buffer b;
  if (size >= 2 && text[0] == '\\' && text[1] == 'x') {
    size_t n = (size - 2) / 2;
    char *out = luaL_buffinitsize(L, &b, n);
    for (size_t i = 0; i < n; i++)
      out[i] = (char)(hex(text[2 + 2 * i]) << 4 | hex(text[3 + 2 * i]));
    luaL_pushresultsize(&b, n);
    return;
  }
  luaL_buffinit(L, &b); /* bytea_output = escape */
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '\\') {
      luaL_addchar(&b, text[i]);
    } else if (i + 3 < size && text[i + 1] != '\\') {
      luaL_addchar(
          &b, (char)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0')));
      i += 3;
    } else {
      luaL_addchar(&b, '\\');
      i++;
    }
  }
  luaL_pushresult(&b);
}

void sql_decode(lua_State *L, const sql_conn *c, const sql_type *t, const char *text, size_t size) {
  switch (t->kind) {
  case SQL_BOOL: lua_pushboolean(L, *text == 't'); break;
  case SQL_INT: lua_pushinteger(L, integer_of(text, size)); break;
  case SQL_FLOAT: lua_pushnumber(L, strtod(text, NULL)); break;
  case SQL_BYTEA: push_bytes(L, text, size); break;
  case SQL_ARRAY: sql_decode_array(L, c, t, text, size); break;
  case SQL_JSON:
    sql_push_setting(L, "decode_json");
    lua_pushlstring(L, text, size);
    lua_call(L, 1, 1);
    break;
  case SQL_TEXT:
  case SQL_NUMERIC: lua_pushlstring(L, text, size); break;
  }
}

/* decode(handle, oid, text) -> value */
int sql_decode_text(lua_State *L) {
  const sql_conn *c = sql_check(L, 1);
  sql_type t;
  size_t size;
  const char *text = luaL_checklstring(L, 3, &size);
  sql_type_of(c, (Oid)luaL_checkinteger(L, 2), &t);
  sql_decode(L, c, &t, text, size);
  return 1;
}
