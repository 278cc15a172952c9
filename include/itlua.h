/*
 * itlua.h - the one public header: everything a binding may use of itlua.
 *
 * A binding makes one C library waitable from straight-line Lua. It starts the library's work, creates an operation
 * (it_op) and returns it_await(). The library's callbacks run on the loop, never touch Lua, and end the operation with
 * it_op_done() or it_op_fail(). The scheduler then resumes the coroutine, and the operation's push() hands the result over.
 *
 * Rules that keep this sound:
 *  - check every argument before it_op_new(); after it, nothing is held by a C local alone;
 *  - exactly one it_op_done()/it_op_fail() per operation, none after cancel() returned true;
 *  - no lua_* call in a library's callback; no uv_run() in any callback;
 *  - what a library may call back on is allocated memory, a userdata is a box with one pointer to it;
 *  - everything raises: a wrong argument is a plain Lua error, a failed operation an error object (it_op_fail).
 *
 * Built-in bindings include nothing else of itlua. Add-ons are built outside the tree as ordinary Lua C modules.
 */
#ifndef ITLUA_H
#define ITLUA_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define IT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define IT_API __attribute__((visibility("default")))
#else
#define IT_PRINTF(fmt, args)
#define IT_API
#endif

struct uv_loop_s;

typedef struct it_state it_state; /* one spec file or script: one lua_State on the shared loop */
typedef struct it_task it_task;   /* one coroutine that the scheduler owns */
typedef struct it_op it_op;       /* one wait */
typedef struct it_res it_res;     /* anything with a close */

/* The state that L belongs to, from any of its coroutines. Never NULL. */
IT_API it_state *it_state_of(lua_State *L);
/* The process's one event loop, for bindings whose library is libuv itself. */
IT_API struct uv_loop_s *it_loop(it_state *st);
/* Counts something of `st` that still has to call back (a handle being closed, work on a thread): the state is not torn
 * down before every hold was dropped. */
IT_API void it_hold(it_state *st);
IT_API void it_drop(it_state *st);

/* ---- memory: never NULL, out of memory ends the process with a message ------------------------------------------- */

IT_API void *it_alloc(size_t size); /* zeroed; free() it */
IT_API void *it_realloc(void *p, size_t size);
IT_API char *it_strdup(const char *s);
IT_API char *it_memdup(const void *p, size_t size); /* a NUL is added */

/* A growing byte string. {0} is empty; data is NUL-terminated once anything was added. */
typedef struct it_buf {
  char *data;
  size_t size, capacity;
} it_buf;
IT_API void it_buf_add(it_buf *b, const void *data, size_t size);
IT_API void it_buf_addf(it_buf *b, const char *fmt, ...) IT_PRINTF(2, 3);
IT_API void it_buf_free(it_buf *b);

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Raises an error object {kind, code, message, where, op}; tostring gives "where: message". `kind` is one of timeout
 * cancelled dns http sql redis kafka container process fs json jwt contract usage; `code` is the library's own stable
 * word ("ECONNREFUSED", an SQLSTATE) or NULL. Does not return. */
IT_API _Noreturn void it_raise(lua_State *L, const char *kind, const char *code, const char *fmt,
                               ...) IT_PRINTF(4, 5);
/* The same in two steps, for errors with more fields: push the object, lua_setfield what else it has, throw it. */
IT_API void it_error_push(lua_State *L, const char *kind, const char *code, const char *fmt, ...)
    IT_PRINTF(4, 5);
IT_API _Noreturn void it_error_throw(lua_State *L);
/* A wrong argument or a closed handle: a plain Lua error string with the caller's position. */
IT_API _Noreturn void it_usage(lua_State *L, const char *fmt, ...) IT_PRINTF(2, 3);
/* Pushes "file:line" of the innermost function that is not itlua's own, or "?" where there is none. */
IT_API const char *it_where(lua_State *L);

/* ---- operations -------------------------------------------------------------------------------------------------- */

typedef struct it_op_class {
  const char *name; /* "http.request": in errors and timelines */
  /* In the coroutine, once it is done: push the results, return how many; may raise. */
  int (*push)(lua_State *L, it_op *op);
  /* Stop it. true: the library will not call back any more. */
  bool (*cancel)(it_op *op);
  /* Release what it holds and its own memory (free(op)); after push or cancel. */
  void (*free)(it_op *op);
} it_op_class;

enum { IT_KEEP_NOTHING, IT_KEEP_RESULT, IT_KEEP_BELOW };

struct it_op { /* the first member of a binding's own struct; the fields are the core's */
  const it_op_class *cls;
  it_state *st;
  it_task *task; /* who waits for it, or NULL */
  const char *error_kind;
  char *error_code, *error_message;
  uint64_t started; /* nanoseconds, monotonic */
  char *detail, *outcome;
  /* For reports of failures: so many values at the bottom of the frame of the function that waits, and the first result,
   * are kept with the line of the timeline; evidence.describe (lua/itlua/evidence.lua) makes plain data of them. What is
   * large should not be kept: `push` says whether the result is, or what lies on the stack below the results. */
  unsigned char keeps, keeps_result; /* IT_KEEP_… */
  bool fleeting;                     /* when it ends well it leaves no line in the timeline */
  bool done, dropped;
};

/* A new operation of `size` bytes (zeroed, `it_op` first). Pushes its anchor, which owns it: from here on an error or a
 * killed coroutine cancels and frees it. */
IT_API void *it_op_new(lua_State *L, size_t size, const it_op_class *cls);
/* Waits for it: `return it_await(L, op);` and nothing after, with the anchor on top of the stack. */
IT_API int it_await(lua_State *L, it_op *op);
/* From any callback on the loop, or before it_await; once. */
IT_API void it_op_done(it_op *op);
IT_API void it_op_fail(it_op *op, const char *kind, const char *code, const char *fmt, ...)
    IT_PRINTF(4, 5);
/* What the timeline shows: to whom ("GET http://…"), set when it starts, and what came of it ("200
 * (212 B)"). An operation without a detail leaves no trace there. */
IT_API void it_op_detail(it_op *op, const char *fmt, ...) IT_PRINTF(2, 3);
IT_API void it_op_outcome(it_op *op, const char *fmt, ...) IT_PRINTF(2, 3);

/* ---- resources --------------------------------------------------------------------------------------------------- */

typedef struct it_res_class {
  const char *name; /* the metatable's name: "itlua.server" */
  /* Once: let go of the library's things. Called by :close(), __close, __gc, state close. */
  void (*close)(it_res *res);
  /* The memory, when the last reference is gone (at once, or with the last operation). */
  void (*free)(it_res *res);
  int quiet; /* true: leaving it open is no fault (a client with only idle connections); IT_SWEPT */
} it_res_class;
/* No fault either, but closed with the test that made it (a temporary folder). */
enum { IT_SWEPT = 2 };

struct it_res { /* the first member of a binding's own struct; the fields are the core's */
  const it_res_class *cls;
  it_state *st;
  it_res *next, **link; /* the state's open resources */
  uint64_t serial;
  char *label, *where;
  int refs;
  bool open;
};

/* Registers the metatable once a state: methods, and close, __close, __gc, __tostring, __index. */
IT_API void it_res_register(lua_State *L, const it_res_class *cls, const luaL_Reg *methods);
/* Pushes a userdata that owns a new, still closed resource of `size` bytes (zeroed). Acquire after this, then open. */
IT_API void *it_res_new(lua_State *L, size_t size, const it_res_class *cls);
/* From now on it has to be closed; `label` names it in messages ("server 127.0.0.1:4711"). */
IT_API void it_res_open(it_res *res, const char *label, ...) IT_PRINTF(2, 3);
/* The resource at `arg`; a usage error when it is something else or closed. */
IT_API void *it_res_check(lua_State *L, int arg, const it_res_class *cls);
IT_API void it_res_close(it_res *res); /* idempotent */
/* An operation that uses it keeps the memory (not the resource) alive: ref in l_method, unref in the operation's free. */
IT_API void it_res_ref(it_res *res);
IT_API void it_res_unref(it_res *res);

/* ---- watches, timers, threads ------------------------------------------------------------------------------------ */

typedef struct it_watch it_watch;
enum { IT_READ = 1, IT_WRITE = 2 };
/* Watches a descriptor (nothing is watched until it_watch_set). A poll error arrives as "readable and writable", so that
 * the library meets the errno itself. NULL when the descriptor cannot be polled. Free it before the descriptor is closed. */
IT_API it_watch *it_watch_new(it_state *st, int fd, void (*fn)(void *data, int events), void *data);
IT_API void it_watch_set(it_watch *w, int events); /* 0 pauses */
IT_API void it_watch_free(it_watch *w);            /* NULL is fine */

typedef struct it_timer it_timer;
IT_API it_timer *it_timer_new(it_state *st, void (*fn)(void *data), void *data);
/* Once, from now; 0 in the next turn, negative stops it. */
IT_API void it_timer_set(it_timer *t, int64_t milliseconds);
IT_API void it_timer_free(it_timer *t); /* NULL is fine */

/* Runs `work` on a pool thread, then `after` on the loop. `work` must not touch Lua or any it_ function but memory's. */
IT_API void it_work(it_state *st, void (*work)(void *data), void (*after)(void *data), void *data);
/* Before a function of libuv that takes a thread of its pool by itself (uv_getaddrinfo). */
IT_API void it_pool_open(it_state *st);

/* Nanoseconds on the clock of deadlines and timelines (monotonic). */
IT_API uint64_t it_now(void);

/* ---- null: the one value for JSON's null and SQL's NULL; true in a condition, compared with == --- */

IT_API void it_push_null(lua_State *L);
IT_API bool it_is_null(lua_State *L, int idx);

/* ---- options tables ---------------------------------------------------------------------------------------------- */

/* Fields of the options table at `idx` (none or nil there: absent). A value of another type is a usage error that names
 * the field. Strings stay valid while the table does. */
IT_API const char *it_opt_string(lua_State *L, int idx, const char *field, const char *otherwise);
IT_API lua_Integer it_opt_integer(lua_State *L, int idx, const char *field, lua_Integer otherwise);
IT_API lua_Number it_opt_number(lua_State *L, int idx, const char *field, lua_Number otherwise);
IT_API bool it_opt_boolean(lua_State *L, int idx, const char *field, bool otherwise);

#endif
