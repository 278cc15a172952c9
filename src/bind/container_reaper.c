/*
 * container_reaper.c - what a spec started in an engine does not outlive the program, not even when that is killed.
 *
 * The first thing that has to be removed brings up a reaper: this program once more (`itlua --reaper`), in a session of its own,
 * reading from a pipe what to remove. When the pipe ends, because we exited or were killed, it removes what is left. An
 * orderly exit says so first ("Q"): nothing is on its way to the engine any more, and one look is enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container.h"

static int channel = -1;

static bool tell(const char *text, size_t size) {
  while (size > 0) {
    ssize_t n = write(channel, text, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false; /* somebody killed it: we are as we would be without one */
    text += n;
    size -= (size_t)n;
  }
  return true;
}

static void on_exit_(void) {
  if (channel >= 0) tell("Q\n", 2);
}

static bool bring_up(void) {
  int ends[2];
  pid_t pid;
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  char name[] = "itlua", command[] = "--reaper";
  char *arguments[] = {name, command, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[0], 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  /* what else we inherited (a supervisor's sockets) would seem in use as long as it lives */
  for (int fd = 3; fd < 64; fd++)
    if (fcntl(fd, F_GETFD) >= 0) posix_spawn_file_actions_addclose(&files, fd);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  int rc = posix_spawn(&pid, "/proc/self/exe", &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(ends[0]);
  if (rc != 0) {
    close(ends[1]);
    return false;
  }
  channel = ends[1];
  atexit(on_exit_);
  return true;
}

int container_reaper(lua_State *L) {
  static bool tried;
  size_t size;
  const char *line = luaL_checklstring(L, 1, &size);
  if (channel < 0 && (tried || (tried = true, !bring_up()))) {
    lua_pushboolean(L, false);
    return 1;
  }
  lua_pushboolean(L, tell(line, size) && tell("\n", 1));
  return 1;
}
