/* json_order.c - the order of an object's members in the text that json_encode.c writes. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *pa, const void *pb) {
  const json_member *a = pa, *b = pb;
  int c = memcmp(a->key, b->key, a->size < b->size ? a->size : b->size);
  return c != 0 ? c : (a->size > b->size) - (a->size < b->size);
}

static int by_rank(const void *pa, const void *pb) {
  const json_member *a = pa, *b = pb;
  return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank) : by_key(pa, pb);
}

static void sort(json_member *m, size_t n, int (*compare)(const void *, const void *)) {
  if (n > 24) {
    qsort(m, n, sizeof *m, compare);
    return;
  }
  for (size_t i = 1; i < n; i++) {
    json_member one = m[i];
    size_t j = i;
    for (; j > 0 && compare(&one, &m[j - 1]) < 0; j--) m[j] = m[j - 1];
    m[j] = one;
  }
}

void json_sort(json_member *m, size_t n) { sort(m, n, by_key); }

void json_by_order(lua_State *L, json_member *m, size_t n, int order) {
  lua_Integer length = (lua_Integer)lua_rawlen(L, order);
  for (size_t i = 0; i < n; i++) m[i].rank = LUA_MAXINTEGER;
  for (lua_Integer i = 1; i <= length; i++) {
    json_member wanted = {0}, *hit = NULL;
    if (lua_rawgeti(L, order, i) == LUA_TSTRING) {
      wanted.key = lua_tolstring(L, -1, &wanted.size);
      hit = bsearch(&wanted, m, n, sizeof *m, by_key);
    }
    if (hit && hit->rank == LUA_MAXINTEGER) hit->rank = i;
    lua_pop(L, 1);
  }
  sort(m, n, by_rank);
}
