/* channel.h - the worker's end of the stream of events, and what its tests print. */
#ifndef ITLUA_CHANNEL_H
#define ITLUA_CHANNEL_H

#include "ipc.h"

/* Whose output it is: a file, a test of it, and how much that test has printed. One per state. */
typedef struct it_account {
  char *file;              /* NULL: nobody's */
  lua_Integer test;        /* 0: the file's own */
  uint64_t printed, limit; /* limit 0: none */
  it_buf tail;             /* the last of what is beyond the limit */
} it_account;

/* Maps the shared memory and takes over descriptors 3 to 6. False when this process was not started by a supervisor. */
bool it_channel_open(uv_loop_t *loop, it_beat **beat);
void it_channel_close(void);

/* Sends whole lines; safe from any thread. */
void it_channel_write(const char *lines, size_t size);
/* Writes what was collected to the socket. */
void it_channel_flush(void);
/* The same, unless it was done a moment ago; called again and again while the loop may be busy. */
void it_channel_flush_stale(void);

/* From now on what is printed goes on this account (NULL: nobody's); what was printed before went on the last one. */
void it_output_switch(it_account *account);
/* A file (NULL: none) or a test of it (0: none) begins or ends for the account: what was printed so far becomes an event,
 * and the counting starts again. */
void it_output_mark(it_account *account, const char *file, lua_Integer test);
void it_account_free(it_account *account);
/* Output is told of as it comes, not only at the next mark. */
void it_output_live(bool live);

#endif
