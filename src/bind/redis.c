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
  lua_createtable(L, o->count, 0);
  for (int i = 0; i < o->count; i++) {
    redis_push_reply(L, &o->replies[i]);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      it_push_null(L);
    }
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
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

/* The command at `idx`, an array of strings and numbers; numbers become strings. Once a command was checked, writing it cannot
   raise, so that nothing leaks. */
static void check_command(lua_State *L, int idx) {
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  if (n == 0) it_usage(L, "a Redis command needs a name");
  for (lua_Integer i = 1; i <= n; i++) {
    int type = lua_rawgeti(L, idx, i);
    if (type == LUA_TNUMBER) {
      lua_tostring(L, -1);
      lua_rawseti(L, idx, i);
      continue;
    }
    if (type != LUA_TSTRING)
      it_usage(L, "argument %d of the Redis command must be a string or a number, not a %s",
               (int)i - 1, lua_typename(L, type));
    lua_pop(L, 1);
  }
}

/* "*3\r\n" or "$3\r\n" */
static void write_head(it_buf *out, char kind, size_t n) {
  char text[24], *at = text + sizeof text;
  *--at = '\n';
  *--at = '\r';
  do *--at = (char)('0' + n % 10);
  while (n /= 10);
  *--at = kind;
  it_buf_add(out, at, (size_t)(text + sizeof text - at));
}

/* Hands a checked command to hiredis, in the protocol's words: its own formatting allocates thrice a command. */
static void send_command(lua_State *L, int idx, redis_connection *c, redisCallbackFn *fn,
                         void *data) {
  enum { KEPT = 1 << 16 }; /* bytes of memory at most for the next command */
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  it_buf *out = &c->command;
  out->size = 0;
  write_head(out, '*', (size_t)n);
  for (lua_Integer i = 1; i <= n; i++) {
    size_t size;
    lua_rawgeti(L, idx, i);
    const char *word = lua_tolstring(L, -1, &size);
    write_head(out, '$', size);
    it_buf_add(out, word, size);
    it_buf_add(out, "\r\n", 2);
    lua_pop(L, 1);
  }
  redisAsyncFormattedCommand(c->ac, fn, data, out->data, out->size);
  if (out->capacity > KEPT) it_buf_free(out);
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

static void describe(lua_State *L, int idx, redis_op *o) {
  enum { SHOWN = 60 }; /* bytes of an argument */
  it_buf text = {0};
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  for (lua_Integer i = 1; i <= n && text.size < 2 * SHOWN; i++) {
    size_t size;
    lua_rawgeti(L, idx, i);
    const char *word = lua_tolstring(L, -1, &size);
    if (i > 1) it_buf_add(&text, " ", 1);
    it_buf_add(&text, word, size < SHOWN ? size : SHOWN);
    lua_pop(L, 1);
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
  check_command(L, 2);
  redis_op *o = redis_op_new(L, c, &call_class);
  o->replies = it_alloc(sizeof *o->replies);
  o->count = 1;
  o->spends = spends;
  describe(L, 2, o);
  o->op.keeps = 2; /* connection, command */
  redis_enter(c);
  send_command(L, 2, c, redis_on_reply, o);
  flush(c);
  return it_await(L, &o->op);
}

/* c:pipeline({{"SET", …}, …}) -> array of replies; error replies are error objects in it */
static int l_pipeline(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  luaL_checktype(L, 2, LUA_TTABLE);
  int count = (int)lua_rawlen(L, 2);
  lua_settop(L, 2);
  must_be_alive(L, c);
  if (c->subscribed) it_usage(L, "a subscribed connection takes no commands");
  if (count == 0) {
    lua_newtable(L);
    return 1;
  }
  for (int i = 0; i < count; i++) { /* every argument is checked before anything is sent */
    lua_rawgeti(L, 2, i + 1);
    check_command(L, 3);
    lua_settop(L, 2);
  }
  redis_op *o = redis_op_new(L, c, &call_class);
  int anchor = lua_gettop(L);
  o->replies = it_alloc((size_t)count * sizeof *o->replies);
  o->many = true;
  o->count = count;
  o->op.keeps = 2; /* connection, commands */
  redis_enter(c);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    if (i == 0) describe(L, anchor + 1, o);
    send_command(L, anchor + 1, c, redis_on_reply, o);
    lua_settop(L, anchor);
  }
  flush(c);
  return it_await(L, &o->op);
}

/* c:subscribe({"SUBSCRIBE", channel…}): what is published arrives by receive() */
static int l_subscribe(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  lua_settop(L, 2);
  must_be_alive(L, c);
  check_command(L, 2);
  c->subscribed = true;
  redis_enter(c);
  send_command(L, 2, c, redis_on_message, c);
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
  lua_pushfstring(L, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
  lua_setfield(L, -2, "version");
  lua_pushboolean(L, redis_tls_available);
  lua_setfield(L, -2, "tls");
  return 1;
}
