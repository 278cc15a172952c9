/*
 * redis.h - what the parts of the Redis binding share: a connection and its operations.
 *
 * A connection is connecting, ready, or lost. `ac` is hiredis' context, which frees itself when it is lost: from then on it is
 * NULL and `lost` says why. A command that was sent cannot be unsent: a cancelled operation stays with hiredis until its reply
 * came (or the connection is lost); one that blocks the connection (BLPOP) spends it instead.
 */
#ifndef ITLUA_REDIS_H
#define ITLUA_REDIS_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "itlua.h"

typedef struct redis_op redis_op;
typedef struct redis_message redis_message;

typedef struct redis_connection {
  it_res res;
  redisAsyncContext *ac;
  it_watch *watch;
  redis_op *connecting;
  redis_op *receiving;         /* waits for a redis_message */
  redis_message *head, **tail; /* published to us, not yet received */
  char *lost;                  /* why, once it was */
  char *address;
  void *tls;      /* hiredis' TLS context, or NULL */
  it_buf command; /* the last one, as it was sent: memory to write the next into */
  redisReplyObjectFunctions making; /* hiredis' own, with a limit on arrays */
#if HIREDIS_MAJOR >= 1
  void *(*create_array)(const redisReadTask *, size_t);
#else
  void *(*create_array)(const redisReadTask *, int);
#endif
  size_t most, too_many; /* elements that a reply may have; of the one that had more, or 0 */
  int wanted;
  bool entered, subscribed; /* entered: inside one of hiredis' functions */
} redis_connection;

struct redis_message {
  redis_message *next;
  redisReply *reply;
};

/* One operation for connecting, for a command or several (`count` replies), and for receiving a message. */
struct redis_op {
  it_op op;
  redis_connection *c;
  redisReply *replies; /* with what hiredis' had in them */
  int count, arrived;
  bool many;   /* a pipeline: an array of replies */
  bool spends; /* cancelling it closes the redis_connection */
};

/* redis_connection.c */
extern const it_res_class redis_connection_class;
int redis_l_connect(lua_State *L);
void redis_set_lost(redis_connection *c, const char *why);
void redis_fail_lost(redis_op *o);
const char *redis_lost_code(const redis_connection *c);
/* Around a call of hiredis' functions, which ask to read and write: the watch is set once, at the end. */
void redis_enter(redis_connection *c);
void redis_leave(redis_connection *c);

/* redis_tls.c: once it is connected; raises, and closes it then */
extern const bool redis_tls_available;
void redis_tls_start(lua_State *L, redis_connection *c, int options);
void redis_tls_free(redis_connection *c);

/* redis_command.c */
/* Appends the command at `idx`, a list of strings and numbers. Raises, and has written nothing then. */
void redis_write_command(lua_State *L, int idx, it_buf *out);
/* Of what was written: behind a command's head, with how many words follow; behind a word; behind the whole command. NULL: it
   is not that. */
const char *redis_read_command(const char *at, const char *end, size_t *words);
const char *redis_read_word(const char *at, const char *end, const char **word, size_t *size);
const char *redis_command_end(const char *at, const char *end);
/* Adds queue, adder, text, words and Queue to the table on top. */
void redis_register_commands(lua_State *L);

/* redis_reply.c */
redis_op *redis_op_new(lua_State *L, redis_connection *c, const it_op_class *cls);
void redis_op_free(it_op *op);
/* From now on a reply with more elements is an error, and spends the connection: the rest of it is never read. */
void redis_limit(redis_connection *c, size_t elements);
void redis_push_reply(lua_State *L, const redisReply *r);
bool redis_is_list(const redisReply *r);
void redis_on_reply(redisAsyncContext *ac, void *reply, void *data); /* data: the redis_op */
void redis_on_message(redisAsyncContext *ac, void *reply,
                      void *data); /* data: the redis_connection */
void redis_free_messages(redis_connection *c);

#endif
