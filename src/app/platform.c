/*
 * platform.c - what every operating system does in its own way. On Linux: memfd, prctl and /proc; elsewhere POSIX's nearest.
 */
#include "platform.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "itlua.h"
#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifdef __linux__
static int unnamed(const char *name) { return memfd_create(name, MFD_CLOEXEC); }
#else
static int unnamed(const char *name) {
  char path[64];
  (void)name;
  snprintf(path, sizeof path, "/tmp/itlua.XXXXXX");
  int fd = mkstemp(path);
  if (fd >= 0) {
    unlink(path);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return fd;
}
#endif

int it_memory_file(const char *name, size_t size) {
  int fd = unnamed(name);
  if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* dlopen takes two libraries for one when their paths are equal, and descriptors' numbers come back: the dots differ. */
void it_descriptor_path(int fd, char *path, size_t size) {
  static int count;
  size_t n = (size_t)snprintf(path, size, "/proc/self/fd/");
  for (int i = 0; i < count && n + 16 < size; i++) n += (size_t)snprintf(path + n, size - n, "./");
  snprintf(path + n, size - n, "%d", fd);
  count++;
}

void it_signal_with_parent(int signal) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, signal);
#else
  (void)signal;
#endif
}

char **it_environment_with(char *entry) {
  size_t count = 0, name = strcspn(entry, "=") + 1;
  while (environ[count]) count++;
  char **list = it_alloc((count + 2) * sizeof *list);
  count = 0;
  for (size_t i = 0; environ[i]; i++)
    if (strncmp(environ[i], entry, name) != 0) list[count++] = environ[i];
  list[count] = entry;
  return list;
}

#ifdef __linux__
enum { TREE_MAX = 4096 };

/* "12 345 " -> list[count…] */
static size_t add_numbers(pid_t *list, size_t count, const char *text) {
  char *end;
  for (long pid; count < TREE_MAX && (pid = strtol(text, &end, 10)) > 0; text = end)
    list[count++] = (pid_t)pid;
  return count;
}

static size_t add_children(pid_t *list, size_t count, pid_t pid) {
  char path[64], file[400], text[4096];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *threads = opendir(path);
  if (!threads) return count;
  for (const struct dirent *e; (e = readdir(threads));) {
    snprintf(file, sizeof file, "%s/%s/children", path, e->d_name);
    int fd = e->d_name[0] == '.' ? -1 : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    count = add_numbers(list, count, text);
  }
  closedir(threads);
  return count;
}

void it_kill_tree(pid_t pid) {
  static pid_t list[TREE_MAX];
  size_t count = 0;
  if (pid != getpid()) kill(pid, SIGSTOP); /* it starts nothing more */
  list[count++] = pid;
  for (size_t i = 0; i < count; i++) count = add_children(list, count, list[i]);
  while (count > 0) kill(list[--count], SIGKILL);
}

/* Whether the process's environment, as it was when its program started, has the entry. */
static bool was_given(long pid, const char *entry) {
  char path[64], *environment = NULL;
  size_t size = 0, length = strlen(entry);
  bool found = false;
  snprintf(path, sizeof path, "/proc/%ld/environ", pid);
  FILE *f = fopen(path, "re");
  ssize_t n;
  while (f && !found && (n = getdelim(&environment, &size, 0, f)) > 0)
    found = (size_t)n >= length && strncmp(environment, entry, length + 1) == 0;
  free(environment);
  if (f) fclose(f);
  return found;
}

static bool kill_found(const char *entry) {
  bool any = false;
  DIR *all = opendir("/proc");
  if (!all) return false;
  for (const struct dirent *e; (e = readdir(all));) {
    long pid = strtol(e->d_name, NULL, 10);
    if (pid <= 1 || pid == getpid() || getpgid((pid_t)pid) != getpgrp() || !was_given(pid, entry))
      continue;
    if (kill((pid_t)pid, SIGKILL) == 0) any = true;
  }
  closedir(all);
  return any;
}

void it_kill_orphans(const char *entry) {
  for (int i = 0; i < 3 && kill_found(entry); i++)
    continue; /* they may have been starting others */
}
#else
void it_kill_tree(pid_t pid) { kill(pid, SIGKILL); }
void it_kill_orphans(const char *entry) { (void)entry; }
#endif
