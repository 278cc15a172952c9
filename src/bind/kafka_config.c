/*
 * kafka_config.c - librdkafka's configuration from a Lua table of its own property names.
 *
 * Values of properties never appear in messages: any may be a secret.
 */
#include <string.h>

#include "kafka.h"

static const char *text_of(lua_State *L, int idx, const char *name) {
  switch (lua_type(L, idx)) {
  case LUA_TSTRING:
  case LUA_TNUMBER: return lua_tostring(L, idx); /* the value on the stack, not the key */
  case LUA_TBOOLEAN: return lua_toboolean(L, idx) ? "true" : "false";
  default:
    it_usage(L, "config[\"%s\"] must be a string, a number or a boolean, not a %s", name,
             luaL_typename(L, idx));
  }
}

static void check_names(lua_State *L, int idx) {
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      it_usage(L, "config: a property's name must be a string, not a %s", luaL_typename(L, -2));
    text_of(L, lua_gettop(L), lua_tostring(L, -2));
  }
}

/* What this version of librdkafka does not know, and the user did not ask for. */
static bool optional(const char *name) { return name[0] == '?'; }

rd_kafka_conf_t *kafka_config(lua_State *L, int idx) {
  char why[512];
  check_names(L, idx);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const char *name = lua_tostring(L, -2);
    const char *value = text_of(L, lua_gettop(L), name);
    bool may_fail = optional(name);
    rd_kafka_conf_res_t result =
        rd_kafka_conf_set(conf, may_fail ? name + 1 : name, value, why, sizeof why);
    if (result == RD_KAFKA_CONF_OK || may_fail) continue;
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
      it_usage(L, "config[\"%s\"]: librdkafka %s has no such property", name,
               rd_kafka_version_str());
    it_usage(L, "config[\"%s\"]: %s", name, strstr(why, value) && *value ? "invalid value" : why);
  }
  rd_kafka_conf_set(conf, "log.queue", "true", NULL, 0);
  return conf;
}
