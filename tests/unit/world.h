/*
 * world.h - what the core's unit tests share: a scheduler with states in it, scripts run as tasks, and `probe`, a binding
 * made for the tests whose operations and resources behave as badly as a library may.
 *
 * Each test opens a world and closes it; closing fails the test when the loop is not empty or when an operation or a
 * resource of probe's was not freed exactly once.
 */
#ifndef ITLUA_TEST_WORLD_H
#define ITLUA_TEST_WORLD_H

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core.h"

typedef struct world {
  it_sched sched;
  it_state *st; /* made by world_open; a test may make more with it_state_new */
} world;

/* Set-up and tear-down of a cmocka test; *state is the world. */
int world_open(void **state);
int world_close(void **state);

/* A task of `st` that runs the script. It keeps its outcome until world_outcome. */
it_task *world_start(it_state *st, const char *script);
/* The outcome of an ended task: NULL, or the text of its error (free it). The task is let go. */
char *world_outcome(it_task *t);
/* Runs the script to its end in the world's state; an error in it fails the test. */
void world_run(void **state, const char *script);
/* The same, and the script must fail with an error in which `part` occurs. */
void world_fails(void **state, const char *script, const char *part);
/* Closes the world's state with this budget now, and forgets it. */
void world_close_state(void **state, double budget);

/* Seconds on the monotonic clock. */
double world_now(void);

/* probe.c: require "itlua.probe" */
int luaopen_itlua_probe(lua_State *L);
extern int probe_live_ops, probe_live_resources, probe_closes;

/* Runs one function in a child process; returns its wait status. What it prints is thrown away. */
int in_child(void (*fn)(void));

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

#endif
