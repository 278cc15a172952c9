/*
 * server_journal.c - the last requests that Lua was given, bounded in number and in the bytes of their bodies. They are kept
 * here and not in Lua, so that they cost the collector nothing until someone asks for them.
 */
#include <stdlib.h>

#include "server.h"

enum { BODIES_MAX = 64 * 1024 * 1024 };

static void drop_oldest(request_ring *j) {
  request *req = j->slots[j->first];
  j->first = (j->first + 1) % j->limit;
  j->count--;
  j->bytes -= req->body.size;
  request_unref(req);
}

void journal_add(server *srv, request *req) {
  request_ring *j = &srv->journal;
  if (!j->limit) return;
  if (!j->slots) j->slots = it_alloc(j->limit * sizeof(request *));
  while (j->count == j->limit || (j->count && j->bytes + req->body.size > BODIES_MAX))
    drop_oldest(j);
  req->refs++;
  j->slots[(j->first + j->count) % j->limit] = req;
  j->count++;
  j->bytes += req->body.size;
}

void journal_clear(server *srv) {
  request_ring *j = &srv->journal;
  while (j->count) drop_oldest(j);
  free(j->slots);
  j->slots = NULL;
  j->first = 0;
}

/* journal(inbox) -> list of requests, oldest first */
static int l_journal(lua_State *L) {
  server *srv = queue_check_inbox(L, 1);
  const request_ring *j = &srv->journal;
  lua_createtable(L, (int)j->count, 0);
  /* What is made here may run the collector, which frees requests, but none that the journal holds. */
  for (size_t i = 0; i < j->count; i++) {
    request_push(L, j->slots[(j->first + i) % j->limit]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* clear(inbox) */
static int l_clear(lua_State *L) {
  journal_clear(queue_check_inbox(L, 1));
  return 0;
}

const luaL_Reg journal_functions[] = {{"journal", l_journal}, {"clear", l_clear}, {NULL, NULL}};
