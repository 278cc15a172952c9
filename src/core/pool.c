/*
 * pool.c - a state's Lua memory. Small blocks come from lists of free ones, a list a size, cut from slabs that stay with the
 * state; large ones come from malloc. Lua tells the size when it frees, so a block needs no header. What a test makes and
 * drops (strings, small tables, closures) costs a few instructions this way, and a state ends by dropping its slabs.
 * ITLUA_MEMORY=malloc takes every block from malloc, for valgrind.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { UNIT = 16, SMALL = 512, SLAB = 64 * 1024 };

typedef struct block {
  struct block *next;
} block;

struct it_pool {
  block *spare[SMALL / UNIT + 1];
  block *slabs;
  char *at, *end; /* of the newest slab: what was never cut */
};

static size_t class_of(size_t size) { return (size + UNIT - 1) / UNIT; }

static void *cut(it_pool *pool, size_t size) {
  if ((size_t)(pool->end - pool->at) < size) {
    block *slab = malloc(SLAB);
    if (!slab) return NULL;
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->at = (char *)slab + UNIT;
    pool->end = (char *)slab + SLAB;
  }
  char *p = pool->at;
  pool->at += size;
  return p;
}

static void *take(it_pool *pool, size_t size) {
  if (size > SMALL) return malloc(size);
  size_t c = class_of(size);
  block *b = pool->spare[c];
  if (!b) return cut(pool, c * UNIT);
  pool->spare[c] = b->next;
  return b;
}

static void give(it_pool *pool, void *p, size_t size) {
  if (size > SMALL) {
    free(p);
    return;
  }
  block *b = p;
  b->next = pool->spare[class_of(size)];
  pool->spare[class_of(size)] = b;
}

/* lua_Alloc */
static void *pool_alloc(void *data, void *p, size_t old, size_t size) {
  it_pool *pool = data;
  if (!p) return size ? take(pool, size) : NULL;
  if (!size) {
    give(pool, p, old);
    return NULL;
  }
  if (old > SMALL && size > SMALL) return realloc(p, size);
  if (old <= SMALL && size <= SMALL && class_of(old) == class_of(size)) return p;
  void *q = take(pool, size);
  if (!q) return NULL;
  memcpy(q, p, old < size ? old : size);
  give(pool, p, old);
  return q;
}

static void *plain_alloc(void *data, void *p, size_t old, size_t size) {
  (void)data, (void)old;
  if (size) return realloc(p, size);
  free(p);
  return NULL;
}

lua_State *it_pool_state(it_pool **pool) {
#ifdef __SANITIZE_ADDRESS__
  bool plain = true; /* every block is watched on its own */
#else
  const char *wanted = getenv("ITLUA_MEMORY");
  bool plain = wanted && strcmp(wanted, "malloc") == 0;
#endif
  if (plain) return lua_newstate(plain_alloc, NULL);
  *pool = it_alloc(sizeof **pool);
  return lua_newstate(pool_alloc, *pool);
}

void it_pool_free(it_pool *pool) {
  if (!pool) return;
  while (pool->slabs) {
    block *slab = pool->slabs;
    pool->slabs = slab->next;
    free(slab);
  }
  free(pool);
}
