/*
 * channel.c - the worker's end of the stream of events.
 *
 * Lines are collected in the shared memory and written when it is half full, at the end of a file, at most a moment after
 * the worker began to wait, or a little later while it does not (the thread of output.c). `fill` counts bytes behind
 * `written`; the order of the stores makes what is in neither place, or in both, impossible to lose or to count twice:
 * whoever reads after a death skips what it received.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { SOON = 10, STALE = 100 }; /* milliseconds */

static struct {
  it_shared *shared;
  pthread_mutex_t lock;
  bool broken; /* the supervisor is gone: there is nobody to tell */
  uv_prepare_t before_wait;
  uv_timer_t soon;
  uint64_t flushed_at;
} channel = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* To the socket, whole; the socket is blocking. With the lock. */
static void send_all(const char *data, size_t size) {
  while (size > 0 && !channel.broken) {
    ssize_t n = send(IT_FD_EVENTS, data, size, MSG_NOSIGNAL);
    if (n >= 0) data += n, size -= (size_t)n;
    else if (errno == EPIPE) channel.broken = true;
    else if (errno != EINTR)
      _exit(5); /* a spec closed it: what cannot be told must not pass for a success */
  }
}

static void flush_locked(void) {
  it_shared *s = channel.shared;
  uint32_t fill = atomic_load(&s->fill);
  if (fill == 0) return;
  send_all(s->events, fill);
  atomic_store(&s->fill, 0);
  atomic_fetch_add(&s->written, fill);
  channel.flushed_at = it_now();
}

void it_channel_flush(void) {
  if (!channel.shared) return;
  pthread_mutex_lock(&channel.lock);
  flush_locked();
  pthread_mutex_unlock(&channel.lock);
}

void it_channel_write(const char *lines, size_t size) {
  it_shared *s = channel.shared;
  if (!s) return;
  pthread_mutex_lock(&channel.lock);
  if (atomic_load(&s->fill) + size > sizeof s->events) flush_locked();
  if (size > sizeof s->events) {
    send_all(lines, size);
    atomic_fetch_add(&s->written, size);
  } else {
    uint32_t fill = atomic_load(&s->fill);
    memcpy(s->events + fill, lines, size);
    atomic_store(&s->fill, fill + (uint32_t)size);
    if (fill + size > sizeof s->events / 2) flush_locked();
  }
  pthread_mutex_unlock(&channel.lock);
}

static void soon_over(uv_timer_t *timer) {
  (void)timer;
  it_channel_flush();
}

/* Where a spec has closed the socket, the test that did so comes to its end first. */
void it_channel_flush_stale(void) {
  int type;
  socklen_t size = sizeof type;
  if (!channel.shared || getsockopt(IT_FD_EVENTS, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return;
  pthread_mutex_lock(&channel.lock);
  if (it_now() - channel.flushed_at > (uint64_t)STALE * 1000000u) flush_locked();
  pthread_mutex_unlock(&channel.lock);
}

/* The loop is about to wait: what was collected must not wait with it, but ten waits a millisecond need no ten writes. */
static void about_to_wait(uv_prepare_t *prepare) {
  (void)prepare;
  if (!channel.shared || atomic_load(&channel.shared->fill) == 0 ||
      uv_is_active((uv_handle_t *)&channel.soon))
    return;
  if (it_now() - channel.flushed_at > (uint64_t)SOON * 1000000u) it_channel_flush();
  else uv_timer_start(&channel.soon, soon_over, SOON, 0);
}

/* A spec forked: its child has nothing to tell. */
static void forked(void) {
  channel.shared = NULL;
  it_output_forget();
}

bool it_channel_open(uv_loop_t *loop, it_beat **beat) {
  struct stat st;
  for (int fd = IT_FD_COMMANDS; fd <= IT_FD_OUTPUT; fd++)
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return false;
  if (fstat(IT_FD_SHARED, &st) != 0 || st.st_size < (off_t)sizeof(it_shared)) return false;
  void *p = mmap(NULL, sizeof(it_shared), PROT_READ | PROT_WRITE, MAP_SHARED, IT_FD_SHARED, 0);
  if (p == MAP_FAILED) return false;
  close(IT_FD_SHARED);
  channel.shared = p;
  *beat = &channel.shared->beat;
  uv_prepare_init(loop, &channel.before_wait);
  uv_prepare_start(&channel.before_wait, about_to_wait);
  uv_unref((uv_handle_t *)&channel.before_wait);
  uv_timer_init(loop, &channel.soon);
  uv_unref((uv_handle_t *)&channel.soon);
  it_output_open(channel.shared);
  pthread_atfork(NULL, NULL, forked);
  return true;
}

void it_channel_close(void) {
  it_output_close();
  it_channel_flush();
  uv_close((uv_handle_t *)&channel.before_wait, NULL);
  uv_close((uv_handle_t *)&channel.soon, NULL);
}
