/*
 * replay.c - the main program of a fuzz target without libFuzzer: runs it over the files (or the files of the folders) that
 * are named, so that every input that once was wrong stays a test with any compiler.    json corpus/json
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replayed;

static void replay(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    perror(path);
    exit(2);
  }
  long end = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
  uint8_t *data = end >= 0 ? malloc(end > 0 ? (size_t)end : 1)
                           : NULL; /* not a byte more: a sanitizer sees the next */
  if (!data || fseek(f, 0, SEEK_SET) != 0) abort();
  size_t size = fread(data, 1, (size_t)end, f);
  fclose(f);
  fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  replayed++;
}

int main(int argc, char **argv) {
  char path[4096];
  for (int i = 1; i < argc; i++) {
    DIR *folder = opendir(argv[i]);
    if (!folder) {
      replay(argv[i]);
      continue;
    }
    for (const struct dirent *e; (e = readdir(folder));) {
      if (e->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
      replay(path);
    }
    closedir(folder);
  }
  printf("%d passed, 0 failed, 0 skipped\n", replayed);
  return 0;
}
