/*
 * kafka.c - itlua.kafka.core: clients of Kafka over librdkafka (2.0 and later). lua/itlua/kafka.lua makes connections,
 * captures and consumers of them.
 */
#include <string.h>

#include "kafka.h"

/* c:logs(after) -> { { at =, text = }, … } after that many, how many there were in all */
static int l_logs(lua_State *L) {
  const kafka_client *c = *(kafka_client **)lua_touserdata(L, 1);
  lua_Integer after = luaL_optinteger(L, 2, 0), n = 0;
  unsigned first = c->log_count > KAFKA_LOGS ? c->log_count - KAFKA_LOGS : 0;
  if (after > (lua_Integer)first) first = (unsigned)after;
  lua_newtable(L);
  for (unsigned i = first; i < c->log_count; i++) {
    const kafka_log *log = &c->logs[i % KAFKA_LOGS];
    lua_createtable(L, 0, 2);
    lua_pushnumber(L, (lua_Number)log->at / 1e9);
    lua_setfield(L, -2, "at");
    lua_pushstring(L, log->text);
    lua_setfield(L, -2, "text");
    lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, (lua_Integer)c->log_count);
  return 2;
}

/* c:trouble() -> code, text of the last error librdkafka told since something last worked, or nothing */
static int l_trouble(lua_State *L) {
  const kafka_client *c = kafka_check(L);
  lua_pushstring(L, c->trouble_code);
  lua_pushstring(L, c->trouble);
  return 2;
}

IT_API int luaopen_itlua_kafka_core(lua_State *L);

int luaopen_itlua_kafka_core(lua_State *L) {
  static const luaL_Reg methods[] = {{"produce", kafka_l_produce},
                                     {"produce_all", kafka_l_produce_all},
                                     {"read", kafka_l_read},
                                     {"assign", kafka_l_assign},
                                     {"unassign", kafka_l_unassign},
                                     {"subscribe", kafka_l_subscribe},
                                     {"assignment", kafka_l_assignment},
                                     {"pause", kafka_l_pause},
                                     {"commit", kafka_l_commit},
                                     {"offsets", kafka_l_offsets},
                                     {"committed", kafka_l_committed},
                                     {"seek", kafka_l_seek},
                                     {"metadata", kafka_l_metadata},
                                     {"transaction", kafka_l_transaction},
                                     {"create_topics", kafka_l_create_topics},
                                     {"delete_topics", kafka_l_delete_topics},
                                     {"create_partitions", kafka_l_create_partitions},
                                     {"describe_config", kafka_l_describe_config},
                                     {"groups", kafka_l_groups},
                                     {"describe_group", kafka_l_describe_group},
                                     {"group_offsets", kafka_l_group_offsets},
                                     {"delete_group", kafka_l_delete_group},
                                     {"logs", l_logs},
                                     {"trouble", l_trouble},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", kafka_l_open}, {NULL, NULL}};
  it_res_register(L, &kafka_client_class, methods);
  it_res_register(L, &kafka_member_class, methods);
  luaL_newlib(L, functions);
  lua_pushstring(L, rd_kafka_version_str());
  lua_setfield(L, -2, "version");
  return 1;
}
