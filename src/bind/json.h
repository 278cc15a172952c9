/* json.h - what the files of the JSON binding share. Nothing else includes it. */
#ifndef ITLUA_JSON_H
#define ITLUA_JSON_H

#include "itlua.h"

/* Upvalues of every function of the module. */
enum {
  JSON_NULL = lua_upvalueindex(1),   /* the one null */
  JSON_ARRAY = lua_upvalueindex(2),  /* metatable of arrays */
  JSON_OBJECT = lua_upvalueindex(3), /* metatable of objects that say so */
  JSON_NUMBER = lua_upvalueindex(4), /* metatable of numbers kept as text */
  JSON_SINK = lua_upvalueindex(5),   /* the encoder's buffers */
  JSON_UPVALUES = 5
};

/* Both directions recurse in C, so the limit has a limit: 5,000 levels take less than 1 MB of stack. */
enum { JSON_DEPTH = 1000, JSON_DEPTH_MOST = 5000 };
#define JSON_SIZE ((size_t)64 << 20)

/* Keeps a function's large locals out of the frames that recurse. */
#if defined(__GNUC__)
#define JSON_APART __attribute__((noinline))
#else
#define JSON_APART
#endif

enum json_utf8 { UTF8_STRICT, UTF8_REPLACE, UTF8_KEEP };

/* The length of the UTF-8 sequence at `p`, whose first byte is 0x80 or more; 0 when it is none. Reads no byte past the
 * first wrong one, so a NUL at the end is enough of a bound. Surrogates and overlong forms are none. */
size_t json_utf8_length(const char *p);
/* Writes the code point as UTF-8 (surrogates too), returns the length: at most 4. */
size_t json_utf8_put(char *out, uint32_t c);
/* None of the 8 bytes at `p` needs a look in a string: no quote, backslash, control character, non-ASCII. */
bool json_plain8(const char *p);

/* Writes what is no plain byte of a string, at *at, as JSON has it, and moves *at behind it. 0: invalid UTF-8, by `mode`
 * an error. Room for JSON_TEXT bytes. */
size_t json_escape(char *out, const char **at, int mode, bool ascii);
/* Copies what is around `at` of its line, without control characters, and tells the column of `at` in the copy. */
size_t json_excerpt(char *text, size_t *column, const char *line, const char *at, const char *end);
enum { JSON_BEFORE = 48, JSON_AFTER = 28, JSON_TEXT = 40 };

/* The end of the JSON number at `p`, or NULL with what is wrong there. `whole`: neither fraction nor exponent. */
const char *json_number_end(const char *p, bool *whole, const char **wrong);
/* Its value; `p` is a valid number. */
double json_number_value(const char *p, const char *end);
size_t json_integer_text(char *out, int64_t i);
/* The shortest text that reads back as the same double; ".0" is added where that would be an integer. Not for inf, nan. */
size_t json_real_text(char *out, double d);
/* Makes the number kept as text; its metatable is on top and is replaced. */
void json_number_push(lua_State *L, const char *text, size_t size);

/* The option `field` as an index into `names`, which ends with NULL; a usage error lists them. */
int json_choice(lua_State *L, int idx, const char *field, const char *const *names, int otherwise);
extern const char *const json_utf8_names[];
/* The options max_depth and max_size; leaves what is not given. */
void json_limits(lua_State *L, int idx, int *max_depth, size_t *max_size);

/* One member of an object while it is sorted: its key, and where its value is on the Lua stack (0: look it up). */
typedef struct json_member {
  const char *key;
  size_t size;
  int slot;
  lua_Integer rank; /* its place in an order that was asked for */
} json_member;

void json_sort(json_member *m, size_t n); /* by bytes, which is by code point */
/* Of sorted members: those that the list of keys at `order` names first, in its order; the rest stays sorted. */
void json_by_order(lua_State *L, json_member *m, size_t n, int order);

/* The buffers, kept between calls. `busy` while a call uses them: a finalizer may encode in the middle of another. */
typedef struct json_sink {
  it_buf out;
  json_member *members;
  size_t count, capacity;
  bool busy;
} json_sink;

void json_sink_push(lua_State *L); /* without metatable */
void json_sink_clear(json_sink *s);

/* Text being read. A reading error raises from anywhere: nothing is allocated but by Lua. */
typedef struct json_reader {
  lua_State *L;
  const char *start, *p, *end; /* *end is a NUL */
  const char *name;            /* what the text is, for messages */
  int depth, max_depth;
  int utf8, duplicates, big;
  bool ordered;
} json_reader;

enum { JSON_BIG_EXACT, JSON_BIG_FLOAT, JSON_BIG_ERROR };

void json_skip(json_reader *d); /* blanks */
/* The token at d->p: pushes its value and moves on. */
void json_string(json_reader *d);
void json_number(json_reader *d);
void json_literal(json_reader *d, const char *word, size_t size); /* only moves on */
/* Raises with line, column and excerpt of `at`. */
_Noreturn void json_fail(json_reader *d, const char *at, const char *code, const char *fmt, ...)
    IT_PRINTF(4, 5);
_Noreturn void json_fail_value(json_reader *d, const char *at); /* no value is there */
/* What stands at `at`, as a message names it. May push. */
const char *json_found(json_reader *d, const char *at);

int luaopen_itlua_json_core(lua_State *L);
int json_decode(lua_State *L);
int json_encode(lua_State *L);
int json_peer(lua_State *L);
const char *json_peer_version(void); /* cJSON's */

#endif
