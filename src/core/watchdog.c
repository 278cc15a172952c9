/*
 * watchdog.c - a task that computes past its deadline is stopped where it stands.
 *
 * A thread looks at the beat a hundred times a second. When a step has gone on for longer than its task may, it signals the
 * thread of the loop, whose handler sets a hook on the coroutine that runs (as lua.c does on SIGINT); the hook raises. So a
 * step that keeps its time costs nothing: a hook that is always set would have Lua look at every instruction.
 * The thread starts with the first deadline of a process and ends with its scheduler.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "core.h"

enum {
  SIGNAL = SIGURG,
  LOOK_MS = 10
}; /* SIGURG: ignored by default, and by nobody's convention ours to lose */

static struct {
  it_sched *_Atomic sched;
  pthread_t loop, thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool running, ending;
} dog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void bite(int number) {
  (void)number;
  it_sched *s = atomic_load(&dog.sched);
  if (s && s->current) it_hook_interrupt(s->current);
}

static bool overdue(const it_sched *s) {
  uint64_t started = atomic_load_explicit(&s->beat->step_started, memory_order_relaxed);
  uint64_t deadline = atomic_load_explicit(&s->beat->deadline, memory_order_relaxed);
  return started && deadline && it_now() > deadline;
}

static void *watch(void *data) {
  it_sched *s = data;
  pthread_mutex_lock(&dog.lock);
  while (!dog.ending) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
    pthread_cond_timedwait(&dog.wake, &dog.lock, &until);
    if (!dog.ending && overdue(s)) pthread_kill(dog.loop, SIGNAL);
  }
  pthread_mutex_unlock(&dog.lock);
  return NULL;
}

void it_watchdog_start(it_sched *s) {
  if (dog.running) return;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&dog.wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  struct sigaction action = {.sa_handler = bite, .sa_flags = SA_RESTART};
  sigaction(SIGNAL, &action, NULL);
  dog.loop = pthread_self();
  dog.ending = false;
  atomic_store(&dog.sched, s);
  /* The thread itself must not take signals that are meant for the loop. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  dog.running = pthread_create(&dog.thread, NULL, watch, s) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void it_watchdog_stop(it_sched *s) {
  if (!dog.running || atomic_load(&dog.sched) != s) return;
  pthread_mutex_lock(&dog.lock);
  dog.ending = true;
  pthread_cond_signal(&dog.wake);
  pthread_mutex_unlock(&dog.lock);
  pthread_join(dog.thread, NULL);
  atomic_store(&dog.sched, NULL);
  signal(SIGNAL, SIG_DFL);
  pthread_cond_destroy(&dog.wake);
  dog.running = false;
}
