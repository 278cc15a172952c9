/*
 * json_token.c - the tokens of JSON text, each pushed as its Lua value, and what is said about wrong ones. json_decode.c
 * calls it.
 */
#include "json.h"

#include <string.h>

/* ---- errors ---- */

/* The line around `at`, shortened, and a caret below its column. */
static void push_excerpt(json_reader *d, const char *line, const char *at) {
  char text[JSON_BEFORE + JSON_AFTER + 16], caret[JSON_BEFORE + 8];
  size_t column, n = json_excerpt(text, &column, line, at, d->end);
  memset(caret, ' ', column);
  lua_pushlstring(d->L, text, n);
  lua_pushliteral(d->L, "\n    ");
  lua_pushlstring(d->L, caret, column);
  lua_pushliteral(d->L, "^");
  lua_concat(d->L, 4);
}

_Noreturn void json_fail(json_reader *d, const char *at, const char *code, const char *fmt, ...) {
  lua_State *L = d->L;
  const char *line = d->start, *p;
  lua_Integer lines = 1, column = 1;
  va_list ap;
  for (p = d->start; p < at; p++)
    if (*p == '\n') lines++, line = p + 1;
  for (p = line; p < at; p++)
    if (((unsigned char)*p & 0xC0) != 0x80) column++;
  luaL_checkstack(L, 12, NULL);
  va_start(ap, fmt);
  const char *what = lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  push_excerpt(d, line, at);
  int excerpt = lua_gettop(L);
  it_error_push(L, "json", code, "%s: line %lld, column %lld (byte %lld): %s\n    %s", d->name,
                (long long)lines, (long long)column, (long long)(at - d->start) + 1, what,
                lua_tostring(L, excerpt));
  lua_pushinteger(L, lines), lua_setfield(L, -2, "line");
  lua_pushinteger(L, column), lua_setfield(L, -2, "column");
  lua_pushinteger(L, (lua_Integer)(at - d->start) + 1), lua_setfield(L, -2, "byte");
  lua_pushvalue(L, excerpt), lua_setfield(L, -2, "excerpt");
  it_error_throw(L);
}

/* Pushes what stands at `at`, as a message would name it. */
const char *json_found(json_reader *d, const char *at) {
  unsigned char c = (unsigned char)*at;
  size_t n = c < 0x80 ? 1 : json_utf8_length(at);
  if (at >= d->end) return "the end of the text";
  if (c < 0x20 || c == 0x7F || n == 0) return lua_pushfstring(d->L, "byte %d", (int)c);
  if (n == 1 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
    while (n < 20 && at[n] &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", at[n]))
      n++;
  }
  lua_pushlstring(d->L, at, n);
  return lua_pushfstring(d->L, "'%s'", lua_tostring(d->L, -1));
}

_Noreturn void json_fail_value(json_reader *d, const char *at) {
  static const char *const hints[][2] = {
      {"NaN", "not-a-number has no JSON form"},
      {"Infinity", "infinity has no JSON form"},
      {"-Infinity", "infinity has no JSON form"},
      {"undefined", "JavaScript's undefined has no JSON form"},
      {"nil", "JSON writes null"},
      {"None", "JSON writes null"},
      {"True", "JSON writes true"},
      {"False", "JSON writes false"},
      {"'", "JSON quotes with \""},
      {"//", "JSON has no comments"},
      {"/*", "JSON has no comments"},
      {"#", "JSON has no comments"},
      {"+", "a JSON number has no plus sign"},
      {".", "a JSON number starts with a digit"},
      {"\xEF\xBB\xBF", "a byte order mark; JSON is plain UTF-8"},
  };
  const char *hint = NULL;
  for (size_t i = 0; i < sizeof hints / sizeof *hints && !hint; i++)
    if (strncmp(at, hints[i][0], strlen(hints[i][0])) == 0) hint = hints[i][1];
  if (at == d->start && d->end - at >= 2 &&
      ((at[0] == 0) != (at[1] == 0) || !memcmp(at, "\xFF\xFE", 2) || !memcmp(at, "\xFE\xFF", 2)))
    hint = "the text looks like UTF-16; JSON is UTF-8";
  if (d->depth == 0 && *at == '<') hint = "this looks like HTML or XML";
  if (d->depth == 0 && at >= d->end)
    json_fail(d, at, "empty", "the text is %s", d->start == d->end ? "empty" : "blank");
  json_fail(d, at, "syntax", "expected a value, found %s%s%s", json_found(d, at), hint ? ": " : "",
            hint ? hint : "");
}

/* ---- the tokens ---- */

void json_skip(json_reader *d) {
  const char *p = d->p;
  while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') p++;
  d->p = p;
}

void json_literal(json_reader *d, const char *word, size_t size) {
  if (strncmp(d->p, word, size) != 0) json_fail_value(d, d->p);
  d->p += size;
}

static const char *number_end(json_reader *d, bool *whole) {
  const char *wrong, *end = json_number_end(d->p, whole, &wrong);
  if (end) return end;
  size_t n = strspn(d->p, "+-.0123456789eE");
  lua_pushlstring(d->L, d->p, n > 30 ? 30 : n);
  json_fail(d, d->p, "syntax", "'%s' is no JSON number: %s", lua_tostring(d->L, -1), wrong);
}

void json_number(json_reader *d) {
  const char *p = d->p, *s;
  bool whole, negative = *p == '-';
  const char *end = number_end(d, &whole);
  d->p = end;
  size_t digits = (size_t)(end - p) - negative;
  if (whole && digits <= 19) { /* the digits fit in 64 bits without sign */
    uint64_t m = 0;
    for (s = p + negative; s < end; s++) m = m * 10 + (uint64_t)(*s - '0');
    if (m == 0 && negative) lua_pushnumber(d->L, -0.0); /* an integer would lose the sign */
    else if (m <= (uint64_t)INT64_MAX)
      lua_pushinteger(d->L, negative ? -(lua_Integer)m : (lua_Integer)m);
    else if (negative && m == (uint64_t)INT64_MAX + 1) lua_pushinteger(d->L, LUA_MININTEGER);
    else goto beyond;
    return;
  }
  if (!whole) {
    double v = json_number_value(p, end);
    if (v - v == 0) { /* finite */
      lua_pushnumber(d->L, v);
      return;
    }
  }
beyond:
  if (d->big == JSON_BIG_ERROR)
    json_fail(d, p, "range", "a number beyond what a 64-bit %s holds", whole ? "integer" : "float");
  if (d->big == JSON_BIG_FLOAT) lua_pushnumber(d->L, json_number_value(p, end));
  else {
    lua_pushvalue(d->L, JSON_NUMBER);
    json_number_push(d->L, p, (size_t)(end - p));
  }
}

static int hex4(const char *p) {
  int v = 0;
  for (int i = 0; i < 4; i++) {
    int c = (unsigned char)p[i];
    v <<= 4;
    if (c >= '0' && c <= '9') v |= c - '0';
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') v |= (c | 0x20) - 'a' + 10;
    else return -1;
  }
  return v;
}

/* The escape at `p` (after the backslash): writes it, returns what follows. */
static const char *escape(json_reader *d, const char *p, char **out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *f = *p ? strchr(from, *p) : NULL;
  if (f) {
    *(*out)++ = to[f - from];
    return p + 1;
  }
  if (*p != 'u') {
    if (p >= d->end) json_fail(d, p, "syntax", "the string does not end");
    json_fail(d, p - 1, "syntax", "JSON has no escape \\%s", json_found(d, p));
  }
  int c = hex4(p + 1), low;
  if (c < 0) json_fail(d, p - 1, "syntax", "\\u wants four hexadecimal digits");
  p += 5;
  if (c >= 0xD800 && c <= 0xDBFF && p[0] == '\\' && p[1] == 'u' && (low = hex4(p + 2)) >= 0xDC00 &&
      low <= 0xDFFF) {
    *out +=
        json_utf8_put(*out, 0x10000 + (((uint32_t)c - 0xD800) << 10) + ((uint32_t)low - 0xDC00));
    return p + 6;
  }
  if (c >= 0xD800 && c <= 0xDFFF) {
    if (d->utf8 == UTF8_STRICT) json_fail(d, p - 6, "utf8", "half of a surrogate pair");
    if (d->utf8 == UTF8_REPLACE) c = 0xFFFD;
  }
  *out += json_utf8_put(*out, (uint32_t)c);
  return p;
}

static _Noreturn void fail_string(json_reader *d, const char *p) {
  unsigned char c = (unsigned char)*p;
  if (p >= d->end) json_fail(d, p, "syntax", "the string does not end");
  if (c == '\n') json_fail(d, p, "syntax", "a line break in a string: JSON writes \\n");
  if (c < 0x20)
    json_fail(d, p, "syntax", "the control character %d in a string: JSON escapes it", (int)c);
  json_fail(d, p, "utf8", "byte %d is no UTF-8", (int)c);
}

/* A string with escapes or with bytes to replace; `p` is the first of them, `end` the closing quote. */
static JSON_APART void slow_string(json_reader *d, const char *from, const char *p) {
  luaL_Buffer b;
  const char *end = p;
  while (*end != '"') {
    if (end >= d->end) json_fail(d, end, "syntax", "the string does not end");
    end += *end == '\\' && end + 1 < d->end ? 2 : 1;
  }
  size_t room = (size_t)(end - from);
  char *start = luaL_buffinitsize(d->L, &b, d->utf8 == UTF8_REPLACE ? room * 3 + 4 : room + 4),
       *out = start;
  memcpy(out, from, (size_t)(p - from)), out += p - from;
  while (p < end) {
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : json_utf8_length(p);
    if (c == '\\') p = escape(d, p + 1, &out);
    else if (c < 0x20) fail_string(d, p);
    else if (n > 0) {
      for (; n > 0; n--) *out++ = *p++;
    } else if (d->utf8 == UTF8_REPLACE) out += json_utf8_put(out, 0xFFFD), p++;
    else if (d->utf8 == UTF8_KEEP) *out++ = *p++;
    else fail_string(d, p);
  }
  luaL_pushresultsize(&b, (size_t)(out - start));
  d->p = end + 1;
}

void json_string(json_reader *d) {
  const char *from = d->p + 1, *p = from;
  for (;;) {
    while (d->end - p >= 8 && json_plain8(p)) p += 8;
    unsigned char c = (unsigned char)*p;
    if (c == '"') break;
    if (c == '\\') {
      slow_string(d, from, p);
      return;
    }
    size_t n = c < 0x20 ? 0 : c < 0x80 ? 1 : json_utf8_length(p);
    if (n > 0) p += n;
    else if (c >= 0x80 && d->utf8 == UTF8_KEEP) p++;
    else if (c >= 0x80 && d->utf8 == UTF8_REPLACE) {
      slow_string(d, from, p);
      return;
    } else fail_string(d, p);
  }
  lua_pushlstring(d->L, from, (size_t)(p - from));
  d->p = p + 1;
}
