/* frame.h - tables as lines of JSON, and back: what workers and the supervisor say to each other. */
#ifndef ITLUA_FRAME_H
#define ITLUA_FRAME_H

#include "itlua.h"

/* Appends the table at `idx` as one line of JSON with its '\n'. Strings may hold any bytes. Raises a Lua error for what
 * JSON has no word for (functions, cycles); `out` then ends in the middle of a line. */
void it_frame_encode(lua_State *L, int idx, it_buf *out);

/* Appends one string to `b`, in quotes and escaped. */
void it_frame_string(it_buf *b, const char *s, size_t size);

/* Pushes the value of one line (without its '\n') and returns NULL, or pushes nothing and says what is wrong. */
const char *it_frame_decode(lua_State *L, const char *line, size_t size);

/* The lines of a stream that arrives in pieces. {0} is a fresh one. */
typedef struct it_frames {
  it_buf in;
  size_t at;      /* where the next line begins */
  size_t scanned; /* no '\n' before this */
} it_frames;
enum { IT_FRAME_LIMIT = 64 << 20 }; /* a longer line is garbage */

void it_frames_add(it_frames *f, const void *data, size_t size);
/* The next whole line, or NULL. Valid until the next it_frames_ call. */
const char *it_frames_next(it_frames *f, size_t *size);
/* Bytes of a line that has no end yet. */
size_t it_frames_rest(const it_frames *f);
void it_frames_free(it_frames *f);

#endif
