/*
 * output.c - what tests print, told as events of the test that printed it.
 *
 * Descriptors 1 and 2 are one pipe. A thread reads it into the shared memory, so that nobody who prints ever has to wait for
 * the worker's loop. At every mark (a test begins or ends, another state's turn comes) the worker itself reads what is left:
 * what was printed before the mark is on the old account, exactly. Beyond an account's limit only the last is kept.
 * The thread sees to it that events leave, too: while a test computes the loop does nothing.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "frame.h"

enum { TAIL = 16 << 10, LOOK_MS = 100 };

static struct {
  it_shared *shared;
  pthread_mutex_t lock;
  it_account *account;
  it_buf line;
  bool live;
  pthread_t thread;
  int end[2]; /* closed to end the thread */
  bool reads;
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Everything below: with the lock. */

static void send_event(const it_account *a, const char *text, size_t size) {
  it_buf *line = &output.line;
  line->size = 0;
  it_buf_addf(line, "{\"ev\":\"output\",\"text\":");
  it_frame_string(line, text, size);
  if (a && a->file) {
    it_buf_addf(line, ",\"file\":");
    it_frame_string(line, a->file, strlen(a->file));
    if (a->test) it_buf_addf(line, ",\"id\":%lld", (long long)a->test);
  }
  it_buf_addf(line, "}\n");
  it_channel_write(line->data, line->size);
}

static void keep_tail(it_account *a, const char *text, size_t size) {
  if (size > TAIL) text += size - TAIL, size = TAIL;
  if (a->tail.size + size > TAIL) {
    size_t over = a->tail.size + size - TAIL;
    memmove(a->tail.data, a->tail.data + over, a->tail.size - over);
    a->tail.size -= over;
  }
  it_buf_add(&a->tail, text, size);
}

/* What is in the shared memory goes to its account: as an event, or, beyond the limit, to the tail. */
static void settle(void) {
  it_account *a = output.account;
  uint32_t fill = atomic_load(&output.shared->output_fill);
  if (fill == 0) return;
  size_t told = fill;
  if (a && a->limit) {
    uint64_t left = a->printed < a->limit ? a->limit - a->printed : 0;
    if (told > left) told = (size_t)left;
  }
  if (told > 0) send_event(a, output.shared->output, told);
  if (told < fill) keep_tail(a, output.shared->output + told, fill - told);
  if (a) a->printed += fill;
  memset(output.shared->output, 0, fill);
  atomic_store(&output.shared->output_fill, 0);
}

static void close_account(it_account *a) {
  if (a->tail.size > 0) {
    uint64_t cut = a->printed - a->limit - a->tail.size;
    char note[80];
    int n = snprintf(note, sizeof note, "\n[... %llu bytes of output cut ...]\n",
                     (unsigned long long)cut);
    if (cut > 0) send_event(a, note, (size_t)n);
    send_event(a, a->tail.data, a->tail.size);
    a->tail.size = 0;
  }
  a->printed = 0;
}

/* Reads what fits, without waiting. False when there is no more. */
static bool read_some(it_shared *s) {
  uint32_t fill = atomic_load(&s->output_fill);
  atomic_store(&s->reading, 1); /* a death between the read and the count: see ipc.h */
  ssize_t n = read(IT_FD_OUTPUT, s->output + fill, sizeof s->output - fill);
  if (n > 0) atomic_store(&s->output_fill, fill + (uint32_t)n);
  bool more = n > 0 || (n < 0 && errno == EINTR);
  atomic_store(&s->reading, 0);
  return more;
}

static void drain(void) {
  do {
    if (atomic_load(&output.shared->output_fill) == sizeof output.shared->output) settle();
  } while (read_some(output.shared));
}

static void *reader(void *unused) {
  (void)unused;
  const struct timespec pause = {0, 2000000};
  for (;;) {
    struct pollfd p[] = {{IT_FD_OUTPUT, POLLIN, 0}, {output.end[0], POLLIN, 0}};
    int ready = poll(p, 2, LOOK_MS);
    if (ready < 0 && errno != EINTR) return NULL;
    it_channel_flush_stale();
    if (ready == 0) continue;
    if (p[0].revents & ~POLLIN || p[1].revents) return NULL;
    pthread_mutex_lock(&output.lock);
    uint32_t before = atomic_load(&output.shared->output_fill);
    drain();
    bool many = atomic_load(&output.shared->output_fill) > before + 32768;
    if (output.live) settle();
    pthread_mutex_unlock(&output.lock);
    if (output.live) it_channel_flush();
    if (!many) nanosleep(&pause, NULL); /* many small prints are one turn */
  }
}

/* ---- the functions of channel.h ------------------------------------------------------------------------------------- */

static void take_what_is_printed(void) {
  fflush(stdout);
  drain();
  settle();
}

static void publish_file(void) {
  const char *file = output.account && output.account->file ? output.account->file : "";
  snprintf(output.shared->file, sizeof output.shared->file, "%s", file);
}

void it_output_switch(it_account *account) {
  if (!output.shared) return;
  pthread_mutex_lock(&output.lock);
  if (account != output.account) {
    take_what_is_printed();
    output.account = account;
    publish_file();
  }
  pthread_mutex_unlock(&output.lock);
}

void it_output_mark(it_account *account, const char *file, lua_Integer test) {
  if (!output.shared) return;
  pthread_mutex_lock(&output.lock);
  take_what_is_printed();
  close_account(account);
  account->test = test;
  if (!file || !account->file || strcmp(file, account->file) != 0) {
    free(account->file);
    account->file = file ? it_strdup(file) : NULL;
    publish_file();
  }
  pthread_mutex_unlock(&output.lock);
}

void it_output_live(bool live) { output.live = live; }

void it_account_free(it_account *account) {
  pthread_mutex_lock(&output.lock);
  if (output.account == account) output.account = NULL;
  pthread_mutex_unlock(&output.lock);
  free(account->file);
  it_buf_free(&account->tail);
}

void it_output_open(it_shared *shared) {
  output.shared = shared;
  setvbuf(stdout, NULL, _IOLBF, 0); /* as on a terminal: a crash loses no whole line */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
  output.reads =
      pipe2(output.end, O_CLOEXEC) == 0 && pthread_create(&output.thread, NULL, reader, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void it_output_forget(void) {
  output.shared = NULL;
  output.reads = false;
}

void it_output_close(void) {
  if (!output.reads) return;
  close(output.end[1]);
  pthread_join(output.thread, NULL);
  close(output.end[0]);
  pthread_mutex_lock(&output.lock);
  take_what_is_printed();
  pthread_mutex_unlock(&output.lock);
  it_buf_free(&output.line);
}
