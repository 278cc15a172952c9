/*
 * process_guard.c - nothing that a spec started outlives the program, not even when the program is killed with SIGKILL.
 *
 * The first process that is started brings up a guard: a shell in a session of its own that reads "+ pid" and "- pid" from
 * a socket, and "d folder" and "x folder" for temporary folders. When the socket ends, because we exited or were killed, it
 * ends the groups that are left, first politely, and removes the folders that are left. This needs nothing beyond POSIX;
 * prctl(PR_SET_PDEATHSIG) would reach the group's leader alone.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

static const char SCRIPT[] =
    "{ trap '' HUP INT QUIT TERM PIPE\n"
    "pids=' ' nl='\n'\n"
    "dirs=$nl\n"
    "tidy() {\n"
    "  IFS=$nl; set -f\n"
    "  for dir in $dirs; do [ ! -e \"$dir\" ] || rm -rf -- \"$dir\"; done\n"
    "  exit 0\n"
    "}\n"
    "while read -r op pid; do\n"
    "  case $op in\n"
    "  +) pids=\"$pids$pid \" ;;\n"
    "  -) case $pids in *\" $pid \"*) pids=\"${pids%%\" $pid \"*} ${pids#*\" $pid \"}\" ;; esac ;;\n"
    "  d) dirs=\"$dirs$pid$nl\" ;;\n"
    "  x) case $dirs in *\"$nl$pid$nl\"*) "
    "dirs=\"${dirs%%\"$nl$pid$nl\"*}$nl${dirs#*\"$nl$pid$nl\"}\" ;; esac ;;\n"
    "  esac\n"
    "done\n"
    "for pid in $pids; do kill -TERM \"-$pid\"; done\n"
    "for i in 1 2 3 4 5 6 7 8 9 10; do\n"
    "  alive=\n"
    "  for pid in $pids; do kill -0 \"-$pid\" && alive=1; done\n"
    "  [ -n \"$alive\" ] || tidy\n"
    "  sleep 0.1 || sleep 1\n"
    "done\n"
    "for pid in $pids; do kill -KILL \"-$pid\"; done\n"
    "tidy\n"
    "} <&3 3<&- &\n";

static int channel = -1;

/* The shell leaves the guard behind and ends: a guard that is no child of ours is not killed along with our children, and
 * nobody has to wait for it. */
static bool bring_up(void) {
  int pair[2];
  pid_t shell;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return false;
  fcntl(pair[0], F_SETFD, FD_CLOEXEC);
  fcntl(pair[1], F_SETFD, FD_CLOEXEC);
  char sh[] = "sh", c[] = "-c", script[sizeof SCRIPT], name[] = "itlua-guard",
       path[] = "PATH=/usr/bin:/bin";
  char *arguments[] = {sh, c, script, name, NULL}, *environment[] = {path, NULL};
  memcpy(script, SCRIPT, sizeof SCRIPT);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, pair[1], 3);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  int rc = posix_spawn(&shell, "/bin/sh", &files, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(pair[1]);
  if (rc != 0) {
    close(pair[0]);
    return false;
  }
  waitpid(shell, NULL, 0);
  channel = pair[0];
  return true;
}

static void tell(char op, int pid) {
  char line[32];
  int n = snprintf(line, sizeof line, "%c %d\n", op, pid);
  /* A guard that somebody killed leaves us as we would be without one. */
  if (write(channel, line, (size_t)n) < 0) return;
}

static bool guarded(void) {
  static bool tried;
  return channel >= 0 || (!tried && (tried = true, bring_up()));
}

void process_guard_add(int pid) {
  if (guarded()) tell('+', pid);
}

void process_guard_folder(const char *path, bool keep) {
  it_buf line = {0};
  if (strchr(path, '\n') || (keep ? channel < 0 : !guarded())) return;
  it_buf_addf(&line, "%c %s\n", keep ? 'x' : 'd', path);
  ssize_t written = write(channel, line.data, line.size); /* killed by somebody: as in tell */
  (void)written;
  it_buf_free(&line);
}

void process_guard_remove(int pid) {
  if (channel >= 0) tell('-', pid);
}
