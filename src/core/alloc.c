/*
 * alloc.c - memory that is never NULL. A test runner that cannot allocate has nothing sensible left to do but to say so; the
 * supervisor reports the test that ran.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "itlua.h"

static void *checked(void *p, size_t size) {
  if (p || size == 0) return p;
  fprintf(stderr, "itlua: out of memory (%zu bytes)\n", size);
  abort();
}

void *it_alloc(size_t size) { return checked(calloc(1, size ? size : 1), size); }

void *it_realloc(void *p, size_t size) { return checked(realloc(p, size ? size : 1), size); }

char *it_strdup(const char *s) { return it_memdup(s, strlen(s)); }

char *it_memdup(const void *p, size_t size) {
  char *copy = checked(malloc(size + 1), size + 1);
  if (size) memcpy(copy, p, size);
  copy[size] = 0;
  return copy;
}

static char *buf_reserve(it_buf *b, size_t more) {
  if (b->size + more + 1 > b->capacity) {
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < b->size + more + 1) capacity *= 2;
    b->data = it_realloc(b->data, capacity);
    b->capacity = capacity;
  }
  return b->data + b->size;
}

void it_buf_add(it_buf *b, const void *data, size_t size) {
  char *end = buf_reserve(b, size);
  if (size) memcpy(end, data, size);
  end[size] = 0;
  b->size += size;
}

void it_buf_addf(it_buf *b, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int size = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (size > 0) {
    char *end = buf_reserve(b, (size_t)size);
    vsnprintf(end, (size_t)size + 1, fmt, again);
    b->size += (size_t)size;
  }
  va_end(again);
}

void it_buf_free(it_buf *b) {
  free(b->data);
  *b = (it_buf){0};
}
