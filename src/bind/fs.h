/* fs.h - what the files of the fs binding share. */
#ifndef ITLUA_FS_H
#define ITLUA_FS_H

#include <stdatomic.h>
#include <uv.h>

#include "itlua.h"

/* One piece of work on files, done by a pool thread with libuv's blocking calls. */
typedef struct fs_job {
  it_op op;
  const struct fs_work *work;
  char *path, *to;
  it_buf data; /* what is written or was read; of a list: name, NUL, name, NUL, … */
  uv_stat_t stat;
  int64_t mode, limit;
  bool recursive, force, atomic, append, follow, own; /* own: a folder of ours, no questions */
  atomic_bool stop;                                   /* nobody waits any more */
  int rc;                                             /* 0 or libuv's error */
  char *culprit;   /* the path that failed where it is another one */
  const char *why; /* better words than libuv's */
} fs_job;

enum { FS_MODE_DEFAULT = -1 }; /* of the file that is there, or 0644 */

typedef struct fs_work {
  const char *name, *verb; /* "read", "cannot read" */
  int (*run)(fs_job *j);   /* on the pool thread: 0 or libuv's error */
  int (*push)(lua_State *L, fs_job *j);
} fs_work;

/* fs_tree.c: on the pool thread. A failing path is noted in j->culprit. */
int fs_list(fs_job *j);
int fs_copy(fs_job *j);
int fs_make(fs_job *j);
int fs_remove(fs_job *j);
/* Removes a tree whatever its permissions; for what we made ourselves. */
void fs_remove_own(const char *path);

/* fs_file.c: on the pool thread. */
int fs_read(fs_job *j);
int fs_write(fs_job *j);
int fs_stat(fs_job *j);
int fs_rename(fs_job *j);
int fs_chmod(fs_job *j);
int fs_symlink(fs_job *j);
int fs_realpath(fs_job *j);

/* fs_temp.c, fs_watch.c: tempdir, tempfile, watch; metatables into the module on top of the stack. */
void fs_temp_open(lua_State *L);
void fs_watch_open(lua_State *L);

/* Raises {kind = "fs", code, path}: "cannot read 'x': no such file or directory". */
_Noreturn void fs_fail(lua_State *L, int rc, const char *verb, const char *path, const char *why);

int luaopen_itlua_fs_core(lua_State *L);

#endif
