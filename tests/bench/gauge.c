/*
 * gauge.c - runs a command, with its output thrown away, and says what it took.
 *
 *   gauge COMMAND…         prints "SECONDS PEAK_KB EXIT_CODE"
 *   gauge -m COMMAND…      PEAK_KB is measured: the sum of the peak resident sizes of the command and all its descendants,
 *                          each asked when it exits (by ptrace); what they share counts several times. Else 0
 *
 * Used by tests/bench/bench.lua: a process of Lua's size cannot start others as fast as this one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The number after `field` in /proc/PID/status; 0 where there is none, or no such process. */
static long status_of(long pid, const char *field) {
  char path[64], line[256];
  long value = 0;
  snprintf(path, sizeof path, "/proc/%ld/status", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (strncmp(line, field, strlen(field)) == 0) value = strtol(line + strlen(field), NULL, 10);
  fclose(file);
  return value;
}

/* Follows the stopped processes and their descendants until all have ended; each is asked for its peak as it exits. */
static long follow(pid_t command, int *exit_status) {
  long kilobytes = 0;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
    if (pid < 0) continue;
    if (!WIFSTOPPED(status)) {
      if (pid == command) *exit_status = status;
      continue;
    }
    int sig = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_EXIT && status_of(pid, "Tgid:") == pid)
      kilobytes += status_of(pid, "VmHWM:");
    bool ours = event || sig == SIGTRAP || sig == SIGSTOP;
    ptrace(PTRACE_CONT, pid, NULL, ours ? 0L : (long)sig);
  }
  return kilobytes;
}

static void become(char **command, bool traced) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(126);
  if (traced) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
  }
  execvp(command[0], command);
  _exit(127);
}

int main(int argc, char **argv) {
  bool memory = argc > 1 && strcmp(argv[1], "-m") == 0;
  if (argc < 2 + memory) {
    fprintf(stderr, "usage: gauge [-m] COMMAND…\n");
    return 2;
  }
  double began = now();
  int status = 0;
  long kilobytes = 0;
  pid_t pid = fork();
  if (pid == 0) become(argv + 1 + memory, memory);
  if (pid < 0) return 126;
  if (memory) {
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL,
           (long)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                  PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL));
    ptrace(PTRACE_CONT, pid, NULL, 0L);
    kilobytes = follow(pid, &status);
  } else {
    waitpid(pid, &status, 0);
  }
  printf("%.6f %ld %d\n", now() - began, kilobytes,
         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
