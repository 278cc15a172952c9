/*
 * kafka_partitions.c - librdkafka's lists of partitions as Lua's: { { topic =, partition =, offset =, error = }, … }.
 *
 * Offsets are numbers, or the words "beginning", "end", "stored".
 */
#include <string.h>

#include "kafka.h"

static int64_t offset_of(lua_State *L, int idx) {
  static const struct {
    const char *word;
    int64_t offset;
  } words[] = {{"beginning", RD_KAFKA_OFFSET_BEGINNING},
               {"end", RD_KAFKA_OFFSET_END},
               {"stored", RD_KAFKA_OFFSET_STORED}};
  if (lua_isnil(L, idx)) return RD_KAFKA_OFFSET_INVALID;
  for (size_t i = 0; lua_type(L, idx) == LUA_TSTRING && i < sizeof words / sizeof *words; i++)
    if (strcmp(lua_tostring(L, idx), words[i].word) == 0) return words[i].offset;
  if (!lua_isinteger(L, idx))
    it_usage(L, "an offset is an integer, \"beginning\", \"end\" or \"stored\", not %s",
             luaL_tolstring(L, idx, NULL));
  return lua_tointeger(L, idx);
}

/* Leaves topic, partition, offset on the stack. */
static void element(lua_State *L, int idx, lua_Integer i) {
  if (lua_rawgeti(L, idx, i) != LUA_TTABLE)
    it_usage(L, "a partition must be a table { topic =, partition = }, not a %s",
             luaL_typename(L, -1));
  lua_getfield(L, -1, "topic");
  lua_getfield(L, -2, "partition");
  lua_getfield(L, -3, "offset");
  lua_remove(L, -4);
}

void kafka_check_partitions(lua_State *L, int idx) {
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  for (lua_Integer i = 1; i <= n; i++) {
    element(L, idx, i);
    if (lua_type(L, -3) != LUA_TSTRING || !lua_isinteger(L, -2))
      it_usage(L, "a partition must have a topic and a partition's number");
    offset_of(L, lua_gettop(L));
    lua_pop(L, 3);
  }
}

rd_kafka_topic_partition_list_t *kafka_partitions(lua_State *L, int idx) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
  for (lua_Integer i = 1; i <= n; i++) {
    element(L, idx, i);
    rd_kafka_topic_partition_list_add(list, lua_tostring(L, -3), (int32_t)lua_tointeger(L, -2))
        ->offset = offset_of(L, lua_gettop(L));
    lua_pop(L, 3);
  }
  return list;
}

void kafka_push_partitions(lua_State *L, const rd_kafka_topic_partition_list_t *list) {
  lua_createtable(L, list ? list->cnt : 0, 0);
  for (int i = 0; list && i < list->cnt; i++) {
    const rd_kafka_topic_partition_t *p = &list->elems[i];
    lua_createtable(L, 0, 4);
    lua_pushstring(L, p->topic);
    lua_setfield(L, -2, "topic");
    lua_pushinteger(L, p->partition);
    lua_setfield(L, -2, "partition");
    if (p->offset >= 0) {
      lua_pushinteger(L, p->offset);
      lua_setfield(L, -2, "offset");
    }
    if (p->err) {
      lua_pushstring(L, rd_kafka_err2name(p->err));
      lua_setfield(L, -2, "error");
      lua_pushstring(L, rd_kafka_err2str(p->err));
      lua_setfield(L, -2, "message");
    }
    lua_rawseti(L, -2, i + 1);
  }
}
