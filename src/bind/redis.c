/*
 * redis.c - itlua.redis.core: commands over hiredis (0.14 and 1.x). lua/itlua/redis.lua makes methods, pipelines,
 * transactions and captures of them.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

static int call_push(lua_State *L, it_op *op) {
  const redis_op *o = (redis_op *)op;
  if (!o->many) {
    redis_push_reply(L, o->replies[0]);
    if (o->replies[0]->type == REDIS_REPLY_ERROR) it_error_throw(L);
    return 1;
  }
  lua_createtable(L, o->count, 0);
  for (int i = 0; i < o->count; i++) {
    redis_push_reply(L, o->replies[i]);
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

/* The command at `idx` (an array of strings and numbers) as argv; the arrays are one userdata, so nothing leaks on an error. */
static int push_argv(lua_State *L, int idx, const char ***argv, size_t **sizes) {
  luaL_checktype(L, idx, LUA_TTABLE);
  int n = (int)lua_rawlen(L, idx);
  if (n == 0) it_usage(L, "a Redis command needs a name");
  char *memory = lua_newuserdatauv(L, (size_t)n * (sizeof(char *) + sizeof(size_t)), 0);
  *argv = (const char **)(void *)memory;
  *sizes = (size_t *)(void *)(memory + (size_t)n * sizeof(char *));
  for (int i = 0; i < n; i++) {
    int type = lua_rawgeti(L, idx, i + 1);
    if (type == LUA_TNUMBER) { /* converted in place: the string must stay alive */
      lua_tostring(L, -1);
      lua_pushvalue(L, -1);
      lua_rawseti(L, idx, i + 1);
    } else if (type != LUA_TSTRING) {
      it_usage(L, "argument %d of the Redis command must be a string or a number, not a %s", i,
               lua_typename(L, type));
    }
    (*argv)[i] = lua_tolstring(L, -1, &(*sizes)[i]);
    lua_pop(L, 1);
  }
  return n;
}

static void must_be_alive(lua_State *L, const redis_connection *c) {
  if (!c->ac)
    it_raise(L, "redis", "CLOSED", "the connection to Redis at %s was lost: %s", c->address,
             c->lost);
}

/* Writing now instead of when the loop says so saves a turn of it on every command. */
static void flush(redis_connection *c) {
  if (c->ac && !c->connecting) redisAsyncHandleWrite(c->ac);
  redis_leave(c);
}

static void describe(redis_op *o, const char **argv, const size_t *sizes, int argc) {
  enum { SHOWN = 60 }; /* bytes of an argument */
  it_buf text = {0};
  for (int i = 0; i < argc && text.size < 2 * SHOWN; i++) {
    if (i) it_buf_add(&text, " ", 1);
    it_buf_add(&text, argv[i], sizes[i] < SHOWN ? sizes[i] : SHOWN);
  }
  if (o->many) it_buf_add(&text, " …", sizeof " …" - 1);
  o->op.detail = text.data;
}

/* c:call({"SET", key, value} [, spends]) -> reply; an error reply is raised */
static int l_call(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  const char **argv;
  size_t *sizes;
  bool spends = lua_toboolean(L, 3);
  lua_settop(L, 2);
  must_be_alive(L, c);
  if (c->subscribed) it_usage(L, "a subscribed connection takes no commands");
  int argc = push_argv(L, 2, &argv, &sizes);
  redis_op *o = redis_op_new(L, c, &call_class);
  o->count = 1;
  o->spends = spends;
  o->replies = it_alloc(sizeof *o->replies);
  describe(o, argv, sizes, argc);
  redis_enter(c);
  redisAsyncCommandArgv(c->ac, redis_on_reply, o, argc, argv, sizes);
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
  const char **argv;
  size_t *sizes;
  for (int i = 0; i < count; i++) { /* every argument is checked before anything is sent */
    lua_rawgeti(L, 2, i + 1);
    push_argv(L, lua_gettop(L), &argv, &sizes);
    lua_settop(L, 2);
  }
  redis_op *o = redis_op_new(L, c, &call_class);
  int anchor = lua_gettop(L);
  o->replies = it_alloc((size_t)count * sizeof *o->replies);
  o->many = true;
  o->count = count;
  redis_enter(c);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    int argc = push_argv(L, lua_gettop(L), &argv, &sizes);
    if (i == 0) describe(o, argv, sizes, argc);
    redisAsyncCommandArgv(c->ac, redis_on_reply, o, argc, argv, sizes);
    lua_settop(L, anchor);
  }
  flush(c);
  return it_await(L, &o->op);
}

/* c:subscribe({"SUBSCRIBE", channel…}): what is published arrives by receive() */
static int l_subscribe(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  const char **argv;
  size_t *sizes;
  lua_settop(L, 2);
  must_be_alive(L, c);
  int argc = push_argv(L, 2, &argv, &sizes);
  c->subscribed = true;
  redis_enter(c);
  redisAsyncCommandArgv(c->ac, redis_on_message, c, argc, argv, sizes);
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

/* c:alive() -> whether commands can be sent */
static int l_alive(lua_State *L) {
  const redis_connection *c =
      *(redis_connection **)luaL_checkudata(L, 1, redis_connection_class.name);
  lua_pushboolean(L, c && c->res.open && c->ac);
  return 1;
}

IT_API int luaopen_itlua_redis_core(lua_State *L);

int luaopen_itlua_redis_core(lua_State *L) {
  static const luaL_Reg methods[] = {{"call", l_call},
                                     {"pipeline", l_pipeline},
                                     {"subscribe", l_subscribe},
                                     {"receive", l_receive},
                                     {"pending", l_pending},
                                     {"alive", l_alive},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"connect", redis_l_connect}, {NULL, NULL}};
  it_res_register(L, &redis_connection_class, methods);
  luaL_newlib(L, functions);
  lua_pushfstring(L, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
  lua_setfield(L, -2, "version");
  return 1;
}
