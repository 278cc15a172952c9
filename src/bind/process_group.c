/*
 * process_group.c - whether anybody lives in a process group. kill(2) also finds zombies, which may stay for long where
 * nobody reaps orphans (many containers); Linux tells them apart in /proc.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#ifdef __linux__
/* Whether the process lives and is in the group: "12 (name) S parent group …"; the name may hold anything. */
static bool lives_in(const char *pid, int group) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  const char *rest = strrchr(text, ')');
  if (!rest || rest[1] != ' ' || rest[2] == 'Z' || rest[2] == 'X' || rest[3] != ' ') return false;
  char *parent_end;
  strtol(rest + 4, &parent_end, 10);
  return strtol(parent_end, NULL, 10) == group;
}

static bool only_zombies(int group) {
  DIR *all = opendir("/proc");
  bool living = !all;
  for (const struct dirent *e; !living && (e = readdir(all));)
    living = e->d_name[0] >= '1' && e->d_name[0] <= '9' && lives_in(e->d_name, group);
  if (all) closedir(all);
  return !living;
}
#else
static bool only_zombies(int group) {
  (void)group;
  return false;
}
#endif

bool process_group_alive(int group) {
  if (kill(-group, 0) != 0 && errno != EPERM) return false;
  return !only_zombies(group);
}
