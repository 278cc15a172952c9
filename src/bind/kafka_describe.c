/*
 * kafka_describe.c - requests that ask: the configuration of topics; which groups there are, their members, what they have
 * committed; and the deletion of groups.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

static bool describe_cancel(it_op *op) { return op->done; }

static void set_error(lua_State *L, rd_kafka_resp_err_t error, const char *text) {
  if (!error) return;
  lua_pushstring(L, rd_kafka_err2name(error));
  lua_setfield(L, -2, "error");
  lua_pushstring(L, text ? text : rd_kafka_err2str(error));
  lua_setfield(L, -2, "message");
}

static void set_string(lua_State *L, const char *field, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, field);
}

/* ---- configuration ---- */

static int config_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n, entries;
  kafka_admin_failed(L, o);
  const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(o->event), &n);
  lua_createtable(L, 0, 3);
  if (!n) return 1;
  set_error(L, rd_kafka_ConfigResource_error(resources[0]),
            rd_kafka_ConfigResource_error_string(resources[0]));
  lua_newtable(L);
  lua_newtable(L);
  const rd_kafka_ConfigEntry_t **list = rd_kafka_ConfigResource_configs(resources[0], &entries);
  for (size_t i = 0; i < entries; i++) {
    const char *name = rd_kafka_ConfigEntry_name(list[i]);
    lua_pushstring(L, rd_kafka_ConfigEntry_value(list[i]));
    lua_setfield(L, -3, name);
    lua_pushboolean(L, !rd_kafka_ConfigEntry_is_default(list[i]));
    lua_setfield(L, -2, name);
  }
  lua_setfield(L, -3, "set");
  lua_setfield(L, -2, "config");
  return 1;
}

static const it_op_class config_class = {"kafka.describe_config", config_push, describe_cancel,
                                         kafka_op_free};

/* describe_config(topic, seconds) -> { config = {name = value}, set = {name = whether it is not the default}, error } */
int kafka_l_describe_config(lua_State *L) {
  kafka_client *c = kafka_check(L);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o =
      kafka_admin_new(L, c, &config_class, 3, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, &options);
  rd_kafka_ConfigResource_t *topic = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
  kafka_op_list(o);
  rd_kafka_DescribeConfigs(c->rk, &topic, 1, options, c->main);
  rd_kafka_ConfigResource_destroy(topic);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* ---- groups ---- */

static int groups_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_ConsumerGroupListing_t **groups = rd_kafka_ListConsumerGroups_result_valid(
      rd_kafka_event_ListConsumerGroups_result(o->event), &n);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_createtable(L, 0, 2);
    set_string(L, "name", rd_kafka_ConsumerGroupListing_group_id(groups[i]));
    set_string(L, "state",
               rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupListing_state(groups[i])));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static void push_member(lua_State *L, const rd_kafka_MemberDescription_t *member) {
  lua_createtable(L, 0, 4);
  set_string(L, "id", rd_kafka_MemberDescription_consumer_id(member));
  set_string(L, "client", rd_kafka_MemberDescription_client_id(member));
  set_string(L, "host", rd_kafka_MemberDescription_host(member));
  const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
  kafka_push_partitions(L, rd_kafka_MemberAssignment_partitions(assignment));
  lua_setfield(L, -2, "partitions");
}

static int group_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_ConsumerGroupDescription_t **groups =
      rd_kafka_DescribeConsumerGroups_result_groups(
          rd_kafka_event_DescribeConsumerGroups_result(o->event), &n);
  if (!n) return 0;
  const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
  lua_createtable(L, 0, 5);
  if (error) set_error(L, rd_kafka_error_code(error), rd_kafka_error_string(error));
  set_string(
      L, "state",
      rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[0])));
  set_string(L, "assignor", rd_kafka_ConsumerGroupDescription_partition_assignor(groups[0]));
  size_t members = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
  lua_createtable(L, (int)members, 0);
  for (size_t i = 0; i < members; i++) {
    push_member(L, rd_kafka_ConsumerGroupDescription_member(groups[0], i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "members");
  return 1;
}

static int group_results_push(lua_State *L, const rd_kafka_group_result_t **groups, size_t n,
                              bool partitions) {
  if (n && rd_kafka_group_result_error(groups[0])) {
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    it_raise(L, "kafka", rd_kafka_error_name(error), "%s: %s",
             rd_kafka_group_result_name(groups[0]), rd_kafka_error_string(error));
  }
  if (!partitions) return 0;
  kafka_push_partitions(L, n ? rd_kafka_group_result_partitions(groups[0]) : NULL);
  return 1;
}

static int committed_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(o->event), &n);
  return group_results_push(L, groups, n, true);
}

static int delete_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_group_result_t **groups =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(o->event), &n);
  return group_results_push(L, groups, n, false);
}

static const it_op_class groups_class = {"kafka.groups", groups_push, describe_cancel,
                                         kafka_op_free};
static const it_op_class group_class = {"kafka.describe_group", group_push, describe_cancel,
                                        kafka_op_free};
static const it_op_class committed_class = {"kafka.group_offsets", committed_push, describe_cancel,
                                            kafka_op_free};
static const it_op_class delete_class = {"kafka.delete_group", delete_push, describe_cancel,
                                         kafka_op_free};

/* groups(seconds) -> { { name, state }, … } */
int kafka_l_groups(lua_State *L) {
  kafka_client *c = kafka_check(L);
  lua_settop(L, 2);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o =
      kafka_admin_new(L, c, &groups_class, 2, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, &options);
  kafka_op_list(o);
  rd_kafka_ListConsumerGroups(c->rk, options, c->main);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* describe_group(name, seconds) -> { state, assignor, members = { { id, client, host, partitions }, … }, error } */
int kafka_l_describe_group(lua_State *L) {
  kafka_client *c = kafka_check(L);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o =
      kafka_admin_new(L, c, &group_class, 3, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, &options);
  kafka_op_list(o);
  rd_kafka_DescribeConsumerGroups(c->rk, &name, 1, options, c->main);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* group_offsets(name, seconds [, partitions]) -> partitions, all or those, with what the group has committed */
int kafka_l_group_offsets(lua_State *L) {
  kafka_client *c = kafka_check(L);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 4);
  bool some = !lua_isnil(L, 4);
  if (some) kafka_check_partitions(L, 4);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o = kafka_admin_new(L, c, &committed_class, 3,
                                RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, &options);
  rd_kafka_topic_partition_list_t *list = some ? kafka_partitions(L, 4) : NULL;
  rd_kafka_ListConsumerGroupOffsets_t *group = rd_kafka_ListConsumerGroupOffsets_new(name, list);
  if (list) rd_kafka_topic_partition_list_destroy(list);
  kafka_op_list(o);
  rd_kafka_ListConsumerGroupOffsets(c->rk, &group, 1, options, c->main);
  rd_kafka_ListConsumerGroupOffsets_destroy(group);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* delete_group(name, seconds) */
int kafka_l_delete_group(lua_State *L) {
  kafka_client *c = kafka_check(L);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o = kafka_admin_new(L, c, &delete_class, 3, RD_KAFKA_ADMIN_OP_DELETEGROUPS, &options);
  rd_kafka_DeleteGroup_t *group = rd_kafka_DeleteGroup_new(name);
  kafka_op_list(o);
  rd_kafka_DeleteGroups(c->rk, &group, 1, options, c->main);
  rd_kafka_DeleteGroup_destroy(group);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}
