/*
 * http_raw.c - the limit for itlua.http: the same GETs by a loop over libcurl in C, one after the other on one connection.
 *
 *   http_raw URL COUNT      prints "COUNT in SECONDS s: RATE/s"
 *
 * Compiled by tests/bench/bench.lua.
 * It does what one request of a test needs and no more: the same headers, limits on time, the body in memory, the status.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct body {
  char *data;
  size_t size, capacity;
} body;

static size_t gather(char *data, size_t size, size_t count, void *user) {
  body *b = user;
  size *= count;
  if (b->size + size > b->capacity) {
    b->capacity = (b->size + size) * 2;
    char *larger = realloc(b->data, b->capacity);
    if (!larger) abort();
    b->data = larger;
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
  return size;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
  if (count <= 0) {
    fprintf(stderr, "usage: http_raw URL COUNT\n");
    return 2;
  }
  body b = {0};
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "itlua");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, gather);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &b);
  double began = now();
  for (long i = 0; i < count; i++) {
    long status = 0;
    b.size = 0;
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    CURLcode rc = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK || status != 200) {
      fprintf(stderr, "http_raw: %s, status %ld\n", curl_easy_strerror(rc), status);
      return 1;
    }
  }
  double seconds = now() - began;
  printf("%ld in %.4f s: %.0f/s\n", count, seconds, (double)count / seconds);
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  free(b.data);
  return 0;
}
