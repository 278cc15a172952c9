/*
 * frame.c - tables as lines of JSON, and back.
 *
 * The worker encodes each event here and the supervisor decodes it, so both directions are on the path of every test.
 * A string is copied as it is where it is valid UTF-8; a byte that is not becomes the lone surrogate \udc80 … \udcff,
 * which no valid text encodes to, so any bytes come back exactly and the line stays JSON.
 */
#include "frame.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32 };

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

static char *room(it_buf *b, size_t more) {
  if (b->capacity - b->size <= more) {
    size_t capacity = (b->capacity ? b->capacity : 512) * 2;
    while (capacity - b->size <= more) capacity *= 2;
    b->data = it_realloc(b->data, capacity);
    b->capacity = capacity;
  }
  return b->data + b->size;
}

static void put(it_buf *b, const char *s, size_t n) {
  memcpy(room(b, n), s, n);
  b->size += n;
}

/* The length of the valid UTF-8 sequence at p, or 0. */
static size_t sequence(const unsigned char *p, const unsigned char *end) {
  size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
  if (n == 0 || (size_t)(end - p) < n) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
    return 0; /* overlong, surrogates */
  if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
    return 0; /* overlong, beyond U+10FFFF */
  return n;
}

static bool plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

static void put_escape(it_buf *b, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  const char *named = c == '"'    ? "\\\""
                      : c == '\\' ? "\\\\"
                      : c == '\n' ? "\\n"
                      : c == '\t' ? "\\t"
                      : c == '\r' ? "\\r"
                                  : NULL;
  if (named) {
    put(b, named, 2);
  } else {
    char u[6] = {'\\', 'u', c < 0x80 ? '0' : 'd', c < 0x80 ? '0' : 'c', hex[c >> 4], hex[c & 15]};
    put(b, u, sizeof u);
  }
}

void it_frame_string(it_buf *b, const char *s, size_t size) {
  const unsigned char *p = (const unsigned char *)s, *end = p + size;
  put(b, "\"", 1);
  while (p < end) {
    const unsigned char *run = p;
    while (p < end) {
      size_t n = plain(*p) ? 1 : sequence(p, end);
      if (n == 0) break;
      p += n;
    }
    put(b, (const char *)run, (size_t)(p - run));
    if (p < end) put_escape(b, *p++);
  }
  put(b, "\"", 1);
}

/* Enough digits to read back as the same double; always with a mark that says "not an integer". */
static void put_float(it_buf *b, double d) {
  char text[40];
  if (isnan(d)) {
    put(b, "null", 4);
  } else if (isinf(d)) {
    put(b, d > 0 ? "1e999" : "-1e999", d > 0 ? 5 : 6);
  } else {
    int n = snprintf(text, sizeof text, "%.17g", d);
    if (!strpbrk(text, ".e")) memcpy(text + n, ".0", 3), n += 2;
    put(b, text, (size_t)n);
  }
}

static void put_integer(it_buf *b, lua_Integer v) {
  char text[24], *p = text + sizeof text;
  lua_Unsigned u = v < 0 ? 0 - (lua_Unsigned)v : (lua_Unsigned)v;
  do *--p = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) *--p = '-';
  put(b, p, (size_t)(text + sizeof text - p));
}

static void encode(lua_State *L, int idx, it_buf *b, int depth);

static void put_list(lua_State *L, int idx, lua_Integer length, it_buf *b, int depth) {
  put(b, "[", 1);
  for (lua_Integer i = 1; i <= length; i++) {
    if (i > 1) put(b, ",", 1);
    lua_rawgeti(L, idx, i);
    encode(L, lua_gettop(L), b, depth);
    lua_pop(L, 1);
  }
  put(b, "]", 1);
}

static void put_table(lua_State *L, int idx, it_buf *b, int depth) {
  if (depth > DEPTH) luaL_error(L, "a table is nested too deep, or holds itself");
  luaL_checkstack(L, 4, "frame");
  lua_Integer length = (lua_Integer)lua_rawlen(L, idx);
  if (length > 0) {
    put_list(L, idx, length, b, depth + 1);
    return;
  }
  bool first = true;
  put(b, "{", 1);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    size_t size;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "a key that is a %s cannot be sent", luaL_typename(L, -2));
    if (!first) put(b, ",", 1);
    first = false;
    const char *key = lua_tolstring(L, -2, &size);
    it_frame_string(b, key, size);
    put(b, ":", 1);
    encode(L, lua_gettop(L), b, depth + 1);
  }
  put(b, "}", 1);
}

static void encode(lua_State *L, int idx, it_buf *b, int depth) {
  size_t size;
  switch (lua_type(L, idx)) {
  case LUA_TNIL: put(b, "null", 4); break;
  case LUA_TBOOLEAN: lua_toboolean(L, idx) ? put(b, "true", 4) : put(b, "false", 5); break;
  case LUA_TNUMBER:
    if (lua_isinteger(L, idx)) put_integer(b, lua_tointeger(L, idx));
    else put_float(b, lua_tonumber(L, idx));
    break;
  case LUA_TSTRING: {
    const char *s = lua_tolstring(L, idx, &size);
    it_frame_string(b, s, size);
    break;
  }
  case LUA_TTABLE: put_table(L, idx, b, depth); break;
  default: luaL_error(L, "a %s cannot be sent", luaL_typename(L, idx));
  }
}

void it_frame_encode(lua_State *L, int idx, it_buf *out) {
  encode(L, lua_absindex(L, idx), out, 0);
  put(out, "\n", 1);
  *room(out, 1) = 0;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------- */

typedef struct input {
  lua_State *L;
  const char *p, *end;
  const char *error;
} input;

static bool value(input *in, int depth);

static bool wrong(input *in, const char *what) {
  in->error = what;
  return false;
}

static bool take(input *in, char c) {
  if (in->p == in->end || *in->p != c) return false;
  in->p++;
  return true;
}

static bool word(input *in, const char *w) {
  size_t n = strlen(w);
  if ((size_t)(in->end - in->p) < n || memcmp(in->p, w, n) != 0) return wrong(in, "not JSON");
  in->p += n;
  return true;
}

static int hex4(const char *p) {
  int v = 0;
  for (int i = 0; i < 4; i++) {
    int c = (unsigned char)p[i];
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1;
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

static size_t utf8(char *out, unsigned c) {
  if (c < 0x80) return out[0] = (char)c, 1;
  if (c < 0x800) return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
  if (c < 0x10000)
    return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)),
           out[2] = (char)(0x80 | (c & 63)), 3;
  out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63));
  out[2] = (char)(0x80 | (c >> 6 & 63)), out[3] = (char)(0x80 | (c & 63));
  return 4;
}

/* The \uXXXX at in->p (after "\u"): a character, the second half of a pair included, or a byte that was no UTF-8. */
static bool unicode(input *in, char *out, size_t *size) {
  int c = in->end - in->p < 4 ? -1 : hex4(in->p);
  if (c < 0) return wrong(in, "a broken \\u escape");
  in->p += 4;
  if (c >= 0xdc80 && c <= 0xdcff) {
    out[0] = (char)(c & 0xff);
    *size = 1;
    return true;
  }
  if (c >= 0xd800 && c <= 0xdbff) {
    int low = in->end - in->p < 6 || in->p[0] != '\\' || in->p[1] != 'u' ? -1 : hex4(in->p + 2);
    if (low < 0xdc00 || low > 0xdfff) return wrong(in, "half a surrogate pair");
    in->p += 6;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c >= 0xdc00 && c <= 0xdfff) {
    return wrong(in, "half a surrogate pair");
  }
  *size = utf8(out, (unsigned)c);
  return true;
}

static bool escape(input *in, char *out, size_t *size) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (in->p == in->end) return wrong(in, "a string without an end");
  char c = *in->p++;
  if (c == 'u') return unicode(in, out, size);
  const char *at = c ? strchr(from, c) : NULL;
  if (!at) return wrong(in, "an unknown escape");
  out[0] = to[at - from];
  *size = 1;
  return true;
}

/* Copies the string's content to `out` (never longer than its source). */
static bool unescape(input *in, char *out, size_t *size) {
  size_t n = 0, more;
  while (in->p < in->end && *in->p != '"') {
    if ((unsigned char)*in->p < 0x20) return wrong(in, "a control character in a string");
    if (*in->p != '\\') {
      out[n++] = *in->p++;
      continue;
    }
    in->p++;
    if (!escape(in, out + n, &more)) return false;
    n += more;
  }
  *size = n;
  return take(in, '"') || wrong(in, "a string without an end");
}

static bool string(input *in) {
  const char *start = in->p;
  while (in->p < in->end && *in->p != '"' && *in->p != '\\' && (unsigned char)*in->p >= 0x20)
    in->p++;
  if (in->p < in->end && *in->p == '"') { /* nothing escaped: most strings */
    lua_pushlstring(in->L, start, (size_t)(in->p++ - start));
    return true;
  }
  in->p = start;
  luaL_Buffer b;
  size_t size;
  char *out = luaL_buffinitsize(in->L, &b, (size_t)(in->end - start) + 1);
  if (!unescape(in, out, &size)) {
    luaL_pushresultsize(&b, 0);
    lua_pop(in->L, 1);
    return false;
  }
  luaL_pushresultsize(&b, size);
  return true;
}

static bool number(input *in) {
  char text[64];
  size_t n = 0;
  bool integer = true;
  while (in->p + n < in->end && n < sizeof text - 1 && in->p[n] &&
         strchr("+-0123456789.eE", in->p[n])) {
    if (in->p[n] == '.' || in->p[n] == 'e' || in->p[n] == 'E') integer = false;
    text[n] = in->p[n];
    n++;
  }
  text[n] = 0;
  if (n == 0 || !strpbrk(text, "0123456789")) return wrong(in, "not JSON");
  char *end;
  if (integer) lua_pushinteger(in->L, (lua_Integer)strtoll(text, &end, 10));
  else lua_pushnumber(in->L, strtod(text, &end));
  if (*end) return lua_pop(in->L, 1), wrong(in, "a broken number");
  in->p += n;
  return true;
}

static bool list(input *in, int depth) {
  lua_newtable(in->L);
  if (take(in, ']')) return true;
  for (lua_Integer i = 1;; i++) {
    if (!value(in, depth)) return lua_pop(in->L, 1), false;
    if (lua_isnil(in->L, -1)) return lua_pop(in->L, 2), wrong(in, "a null in a list");
    lua_rawseti(in->L, -2, i);
    if (take(in, ']')) return true;
    if (!take(in, ',')) return lua_pop(in->L, 1), wrong(in, "a list without an end");
  }
}

static bool object(input *in, int depth) {
  lua_createtable(in->L, 0, 8);
  if (take(in, '}')) return true;
  for (;;) {
    if (!take(in, '"')) return lua_pop(in->L, 1), wrong(in, "a key is missing");
    if (!string(in)) return lua_pop(in->L, 1), false;
    if (!take(in, ':')) return lua_pop(in->L, 2), wrong(in, "a colon is missing");
    if (!value(in, depth)) return lua_pop(in->L, 2), false;
    lua_rawset(in->L, -3);
    if (take(in, '}')) return true;
    if (!take(in, ',')) return lua_pop(in->L, 1), wrong(in, "an object without an end");
  }
}

static bool constant(input *in, const char *w) {
  if (!word(in, w)) return false;
  if (*w == 'n') lua_pushnil(in->L);
  else lua_pushboolean(in->L, *w == 't');
  return true;
}

static bool value(input *in, int depth) {
  if (in->p == in->end) return wrong(in, "the line ends too early");
  if (depth > DEPTH || !lua_checkstack(in->L, 6)) return wrong(in, "nested too deep");
  switch (*in->p) {
  case '{': in->p++; return object(in, depth + 1);
  case '[': in->p++; return list(in, depth + 1);
  case '"': in->p++; return string(in);
  case 't': return constant(in, "true");
  case 'f': return constant(in, "false");
  case 'n': return constant(in, "null");
  default: return number(in);
  }
}

const char *it_frame_decode(lua_State *L, const char *line, size_t size) {
  input in = {L, line, line + size, NULL};
  if (!value(&in, 0)) return in.error;
  if (in.p == in.end) return NULL;
  lua_pop(L, 1);
  return "something after the end";
}

/* ---- a stream of lines ---------------------------------------------------------------------------------------------- */

void it_frames_add(it_frames *f, const void *data, size_t size) {
  if (f->at == f->in.size) {
    f->at = f->scanned = f->in.size = 0;
  } else if (f->at > f->in.size / 2) { /* keep what is unread at the front */
    memmove(f->in.data, f->in.data + f->at, f->in.size - f->at);
    f->in.size -= f->at, f->scanned -= f->at, f->at = 0;
  }
  put(&f->in, data, size);
}

const char *it_frames_next(it_frames *f, size_t *size) {
  if (f->scanned == f->in.size) return NULL;
  const char *from = f->in.data + f->scanned, *end = memchr(from, '\n', f->in.size - f->scanned);
  if (!end) {
    f->scanned = f->in.size;
    return NULL;
  }
  const char *line = f->in.data + f->at;
  *size = (size_t)(end - line);
  f->at = f->scanned = (size_t)(end - f->in.data) + 1;
  return line;
}

size_t it_frames_rest(const it_frames *f) { return f->in.size - f->at; }

void it_frames_free(it_frames *f) {
  it_buf_free(&f->in);
  *f = (it_frames){0};
}
