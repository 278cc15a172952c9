/*
 * redis.c - itlua.redis.core: commands over hiredis (0.14 and 1.x). lua/itlua/redis.lua makes methods, pipelines,
 * transactions and captures of them.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

/* Whether the reply is worth keeping for a report. */
static bool is_small(const redisReply *r) { return r->len <= 1 << 16 && r->elements <= 200; }

static int call_push(lua_State *L, it_op *op) {
  const redis_op *o = (redis_op *)op;
  bool small = o->count <= 200;
  for (int i = 0; small && i < o->count; i++) small = is_small(&o->replies[i]);
  op->keeps_result = small ? IT_KEEP_RESULT : IT_KEEP_NOTHING;
  if (!o->many) {
    redis_push_reply(L, o->replies);
    if (o->replies->type == REDIS_REPLY_ERROR) it_error_throw(L);
    return 1;
  }
  bool lists = false;
  lua_createtable(L, o->count, 0);
  for (int i = 0; i < o->count; i++) {
    redis_push_reply(L, &o->replies[i]);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      it_push_null(L);
    }
    lua_rawseti(L, -2, i + 1);
    lists |= redis_is_list(&o->replies[i]);
  }
  lua_pushboolean(L, lists);
  return 2;
}

static int message_push(lua_State *L, it_op *op) {
  redis_connection *c = ((redis_op *)op)->c;
  redis_message *m = c->head;
  if (!(c->head = m->next)) c->tail = &c->head;
  redis_push_reply(L, m->reply);
  freeReplyObject(m->reply);
  free(m);
  return 1;
}

static bool call_cancel(it_op *op) {
  redis_op *o = (redis_op *)op;
  if (o->spends) it_res_close(&o->c->res); /* hiredis calls back with NULL at once, which ends it */
  return op->done;
}

static bool receive_cancel(it_op *op) {
  redis_connection *c = ((redis_op *)op)->c;
  if (c->receiving == (redis_op *)op) c->receiving = NULL;
  return true;
}

static const it_op_class call_class = {"redis", call_push, call_cancel, redis_op_free};
static const it_op_class receive_class = {"redis.receive", message_push, receive_cancel,
                                          redis_op_free};

/* Hands one command, as it is sent, to hiredis. */
static void send_command(redis_connection *c, const char *at, const char *end, redisCallbackFn *fn,
                         void *data) {
  redisAsyncFormattedCommand(c->ac, fn, data, at, (size_t)(end - at));
}

/* Writes the command at `idx` to the connection's memory for it. */
static void write_command(lua_State *L, int idx, redis_connection *c) {
  enum { KEPT = 1 << 16 }; /* bytes of memory at most for the next command */
  if (c->command.capacity > KEPT) it_buf_free(&c->command);
  c->command.size = 0;
  redis_write_command(L, idx, &c->command);
}

static void send_written(redis_connection *c, redisCallbackFn *fn, void *data) {
  send_command(c, c->command.data, c->command.data + c->command.size, fn, data);
}

static void must_be_alive(lua_State *L, const redis_connection *c) {
  if (!c->ac)
    it_raise(L, "redis", redis_lost_code(c), "the connection to Redis at %s was lost: %s",
             c->address, c->lost);
}

/* Writing now instead of when the loop says so saves a turn of it on every command. */
static void flush(redis_connection *c) {
  if (c->ac && !c->connecting) redisAsyncHandleWrite(c->ac);
  redis_leave(c);
}

/* The first of the commands, in short. */
static void describe(redis_op *o, const char *at, const char *end) {
  enum { SHOWN = 60 }; /* bytes of an argument */
  it_buf text = {0};
  size_t words, size;
  const char *word;
  at = redis_read_command(at, end, &words);
  for (size_t i = 0; at && i < words && text.size < 2 * SHOWN; i++) {
    at = redis_read_word(at, end, &word, &size);
    if (i > 0) it_buf_add(&text, " ", 1);
    it_buf_add(&text, word, size < SHOWN ? size : SHOWN);
  }
  if (o->many) it_buf_add(&text, " …", sizeof " …" - 1);
  o->op.detail = text.data;
}

/* c:call({"SET", key, value} [, spends]) -> reply; an error reply is raised */
static int l_call(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  bool spends = lua_toboolean(L, 3);
  lua_settop(L, 2);
  must_be_alive(L, c);
  if (c->subscribed) it_usage(L, "a subscribed connection takes no commands");
  write_command(L, 2, c);
  redis_op *o = redis_op_new(L, c, &call_class);
  o->replies = it_alloc(sizeof *o->replies);
  o->count = 1;
  o->spends = spends;
  describe(o, c->command.data, c->command.data + c->command.size);
  o->op.keeps = 2; /* connection, command */
  redis_enter(c);
  send_written(c, redis_on_reply, o);
  flush(c);
  return it_await(L, &o->op);
}

static int count_commands(lua_State *L, const char *at, const char *end) {
  int count = 0;
  for (; at < end; count++) {
    at = redis_command_end(at, end);
    if (!at) it_usage(L, "command %d of the pipeline is not in the protocol's words", count + 1);
  }
  return count;
}

/* c:pipeline(text of a queue) -> array of replies, whether any is a list; error replies are error objects in it */
static int l_pipeline(lua_State *L) {
  enum { KEPT = 1 << 20 }; /* bytes of commands at most that a report may ask for */
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size), *end = text + size;
  lua_settop(L, 2);
  must_be_alive(L, c);
  if (c->subscribed) it_usage(L, "a subscribed connection takes no commands");
  int count = count_commands(L, text, end);
  if (count == 0) {
    lua_newtable(L);
    return 1;
  }
  redis_op *o = redis_op_new(L, c, &call_class);
  o->replies = it_alloc((size_t)count * sizeof *o->replies);
  o->many = true;
  o->count = count;
  o->op.keeps = size <= KEPT ? 2 : 0; /* connection, commands */
  describe(o, text, end);
  redis_enter(c);
  for (const char *at = text, *next; at < end; at = next) {
    next = redis_command_end(at, end);
    send_command(c, at, next, redis_on_reply, o);
  }
  flush(c);
  return it_await(L, &o->op);
}

/* c:subscribe({"SUBSCRIBE", channel…}): what is published arrives by receive() */
static int l_subscribe(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  lua_settop(L, 2);
  must_be_alive(L, c);
  write_command(L, 2, c);
  c->subscribed = true;
  redis_enter(c);
  send_written(c, redis_on_message, c);
  flush(c);
  return 0;
}

/* c:receive() -> {"message", channel, payload} and the like, in order */
static int l_receive(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  if (c->receiving) it_usage(L, "another task already receives from this connection");
  if (!c->head) must_be_alive(L, c);
  redis_op *o = redis_op_new(L, c, &receive_class);
  if (c->head) it_op_done(&o->op);
  else c->receiving = o;
  return it_await(L, &o->op);
}

/* c:pending() -> how many messages wait to be received */
static int l_pending(lua_State *L) {
  const redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  lua_Integer n = 0;
  for (const redis_message *m = c->head; m; m = m->next) n++;
  lua_pushinteger(L, n);
  return 1;
}

/* c:limit(elements): that a reply may have */
static int l_limit(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  lua_Integer elements = luaL_checkinteger(L, 2);
  if (elements < 1) it_usage(L, "max_reply is how many elements a reply may have");
  must_be_alive(L, c);
  redis_limit(c, (size_t)elements);
  return 0;
}

/* c:alive() -> whether commands can be sent */
static int l_alive(lua_State *L) {
  const redis_connection *c =
      *(redis_connection **)luaL_checkudata(L, 1, redis_connection_class.name);
  lua_pushboolean(L, c && c->res.open && c->ac);
  return 1;
}

IT_API int luaopen_itlua_redis_core(lua_State *L);

int luaopen_itlua_redis_core(lua_State *L) {
  static const luaL_Reg methods[] = {{"call", l_call},           {"pipeline", l_pipeline},
                                     {"subscribe", l_subscribe}, {"receive", l_receive},
                                     {"pending", l_pending},     {"limit", l_limit},
                                     {"alive", l_alive},         {NULL, NULL}};
  static const luaL_Reg functions[] = {{"connect", redis_l_connect}, {NULL, NULL}};
  it_res_register(L, &redis_connection_class, methods);
  luaL_newlib(L, functions);
  redis_register_commands(L);
  lua_pushfstring(L, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
  lua_setfield(L, -2, "version");
  lua_pushboolean(L, redis_tls_available);
  lua_setfield(L, -2, "tls");
  return 1;
}
