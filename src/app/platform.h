/* platform.h - what every operating system does in its own way. */
#ifndef ITLUA_PLATFORM_H
#define ITLUA_PLATFORM_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor of `size` bytes of memory without a name, close-on-exec; -1 with errno set. */
int it_memory_file(const char *name, size_t size);
/* A path under which the descriptor's content can be opened or loaded, other than any path given out before. */
void it_descriptor_path(int fd, char *path, size_t size);
/* `signal` will be sent to this process when its parent ends; on systems without such a thing, nothing. */
void it_signal_with_parent(int signal);
/* The environment with one entry ("NAME=value") in the place of those of its name; to be freed, its strings not. */
char **it_environment_with(char *entry);
/* Kills the process and everything that it started and that is still its descendant. */
void it_kill_tree(pid_t pid);
/* Kills the processes of this one's group whose environment was given `entry` ("NAME=value"): what a process that is gone
 * had started and nobody else sees to. Others' groups have somebody who does (process_guard.c). */
void it_kill_orphans(const char *entry);

#endif
