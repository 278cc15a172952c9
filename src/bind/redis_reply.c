/*
 * redis_reply.c - what comes back: replies and published messages, taken from hiredis and pushed to Lua.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

redis_op *redis_op_new(lua_State *L, redis_connection *c, const it_op_class *cls) {
  redis_op *o = it_op_new(L, sizeof *o, cls);
  o->c = c;
  it_res_ref(&c->res);
  return o;
}

void redis_op_free(it_op *op) {
  redis_op *o = (redis_op *)op;
  for (int i = 0; i < o->count; i++) {
    redisReply *r = &o->replies[i];
    for (size_t k = 0; k < r->elements; k++) freeReplyObject(r->element[k]);
    free(r->element);
    free(r->str);
  }
  free(o->replies);
  it_res_unref(&o->c->res);
  free(o);
}

/* ---- how large a reply may be: memory is asked for when its first line says how many elements follow ---- */

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

static void *limited_array(const redisReadTask *task, element_count elements) {
  redis_connection *c = task->privdata;
  if (elements > 0 && (size_t)elements > c->most) {
    c->too_many = (size_t)elements;
    return NULL; /* hiredis takes it for a lack of memory, and gives the connection up */
  }
  return c->create_array(task, elements);
}

void redis_limit(redis_connection *c, size_t elements) {
  redisReader *reader = c->ac->c.reader;
  c->most = elements;
  if (reader->fn == &c->making) return;
  c->making = *reader->fn;
  c->create_array = c->making.createArray;
  c->making.createArray = limited_array;
  reader->fn = &c->making;
  reader->privdata = c;
}

/* ---- replies: hiredis frees its own when a callback returns, so the contents move to a reply of ours ---- */

static void take(redisReply *to, redisReply *from) {
  *to = *from;
  memset(from, 0, sizeof *from);
  from->type = REDIS_REPLY_NIL;
}

static void push_error(lua_State *L, const redisReply *r) {
  char code[32];
  size_t size = strcspn(r->str, " ");
  if (size >= sizeof code) size = sizeof code - 1;
  memcpy(code, r->str, size);
  code[size] = 0;
  it_error_push(L, "redis", code, "%s", r->str);
}

static void push_elements(lua_State *L, const redisReply *r) {
  lua_createtable(L, r->elements < 1 << 26 ? (int)r->elements : 0, 0);
  for (size_t i = 0; i < r->elements; i++) {
    redis_push_reply(L, r->element[i]);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      it_push_null(L); /* a hole would change the length */
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

bool redis_is_list(const redisReply *r) {
#ifdef REDIS_REPLY_MAP
  if (r->type == REDIS_REPLY_MAP || r->type == REDIS_REPLY_SET) return true;
#endif
  return r->type == REDIS_REPLY_ARRAY;
}

void redis_push_reply(lua_State *L, const redisReply *r) {
  luaL_checkstack(L, 6, "a reply nested too deeply");
  switch (r->type) {
  case REDIS_REPLY_INTEGER: lua_pushinteger(L, r->integer); break;
  case REDIS_REPLY_STATUS:
  case REDIS_REPLY_STRING: lua_pushlstring(L, r->str, r->len); break;
  case REDIS_REPLY_ERROR: push_error(L, r); break;
  case REDIS_REPLY_ARRAY: push_elements(L, r); break;
#ifdef REDIS_REPLY_MAP  /* RESP3, after HELLO 3: hiredis 1.0 and later */
  case REDIS_REPLY_MAP: /* name, value, name, … as in RESP2 */
  case REDIS_REPLY_SET: push_elements(L, r); break;
  case REDIS_REPLY_DOUBLE: lua_pushnumber(L, r->dval); break;
  case REDIS_REPLY_BOOL: lua_pushboolean(L, r->integer != 0); break;
  case REDIS_REPLY_BIGNUM:
  case REDIS_REPLY_VERB: lua_pushlstring(L, r->str, r->len); break;
#endif
  default: lua_pushnil(L);
  }
}

static void finish_if_complete(redis_op *o) {
  if (++o->arrived == o->count) it_op_done(&o->op);
}

void redis_on_reply(redisAsyncContext *ac, void *reply, void *data) {
  redis_op *o = data;
  (void)ac;
  if (o->op.done) return;
  if (reply) {
    const redisReply *r = reply;
    if (r->type == REDIS_REPLY_ERROR && !o->op.outcome) it_op_outcome(&o->op, "%.200s", r->str);
    take(&o->replies[o->arrived], reply);
    finish_if_complete(o);
    return;
  }
  /* Every reply still owed comes as NULL when the connection goes; one failure is enough. */
  redis_set_lost(o->c, ac->errstr);
  if (++o->arrived == o->count) redis_fail_lost(o);
}

void redis_on_message(redisAsyncContext *ac, void *reply, void *data) {
  redis_connection *c = data;
  (void)ac;
  if (!reply) return;
  redis_message *m = it_alloc(sizeof *m);
  m->reply = it_alloc(sizeof *m->reply);
  take(m->reply, reply);
  *c->tail = m;
  c->tail = &m->next;
  if (c->receiving) {
    redis_op *o = c->receiving;
    c->receiving = NULL;
    it_op_done(&o->op);
  }
}

void redis_free_messages(redis_connection *c) {
  for (redis_message *m = c->head, *next; m; m = next) {
    next = m->next;
    freeReplyObject(m->reply);
    free(m);
  }
}
