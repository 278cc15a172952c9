/* kafka_mock.h - what kafka_mock.c and kafka_probe.c share. */
#ifndef ITLUA_KAFKA_MOCK_H
#define ITLUA_KAFKA_MOCK_H

#include <librdkafka/rdkafka.h>

#include "itlua.h"

/* probe(brokers, seconds, topic | nil) -> {brokers =, cluster =}: asks for metadata, and produces a record where a topic is
 * given; raises why not. */
int kafka_probe(lua_State *L);

#endif
