/* fs_file.c - single files, on a pool thread. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

enum { BLOCK = 65536 };

static int open_file(const char *path, int flags, int mode) {
  uv_fs_t req;
  int fd = uv_fs_open(NULL, &req, path, flags | O_CLOEXEC, mode, NULL);
  uv_fs_req_cleanup(&req);
  return fd;
}

static void close_file(int fd) {
  uv_fs_t req;
  uv_fs_close(NULL, &req, fd, NULL);
  uv_fs_req_cleanup(&req);
}

static int read_all(fs_job *j, int fd) {
  uv_fs_t req;
  char block[BLOCK];
  while (!atomic_load(&j->stop)) {
    uv_buf_t buf = uv_buf_init(block, sizeof block);
    int n = uv_fs_read(NULL, &req, fd, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&req);
    if (n <= 0) return n;
    it_buf_add(&j->data, block, (size_t)n);
    if (j->data.size <= (size_t)j->limit) continue;
    j->why = "it is larger than the option 'max_size' allows";
    return UV_EFBIG;
  }
  return UV_ECANCELED;
}

int fs_read(fs_job *j) {
  int fd = open_file(j->path, O_RDONLY, 0);
  if (fd < 0) return fd;
  int rc = read_all(j, fd);
  close_file(fd);
  return rc;
}

static int write_all(const fs_job *j, int fd) {
  uv_fs_t req;
  size_t done = 0;
  while (done < j->data.size) {
    size_t left = j->data.size - done;
    uv_buf_t buf = {.base = j->data.data + done, .len = left < 1 << 30 ? left : 1 << 30};
    int n = uv_fs_write(NULL, &req, fd, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&req);
    if (n < 0) return n;
    done += (size_t)n;
  }
  return 0;
}

/* Written beside it and moved there: a reader sees the old content or the new, never a part. */
static int write_atomically(const fs_job *j) {
  uv_fs_t req;
  int mode = (int)j->mode;
  if (mode == FS_MODE_DEFAULT) {
    mode = uv_fs_stat(NULL, &req, j->path, NULL) == 0 ? (int)(req.statbuf.st_mode & 07777) : 0644;
    uv_fs_req_cleanup(&req);
  }
  it_buf beside = {0};
  it_buf_addf(&beside, "%s.XXXXXX", j->path);
  int fd = uv_fs_mkstemp(NULL, &req, beside.data, NULL);
  it_buf_free(&beside);
  char *temporary = fd >= 0 ? it_strdup(req.path) : NULL;
  uv_fs_req_cleanup(&req);
  if (fd < 0) return fd;
  int rc = write_all(j, fd);
  if (rc == 0) rc = uv_fs_fchmod(NULL, &req, fd, mode, NULL), uv_fs_req_cleanup(&req);
  close_file(fd);
  if (rc == 0) rc = uv_fs_rename(NULL, &req, temporary, j->path, NULL), uv_fs_req_cleanup(&req);
  if (rc != 0) uv_fs_unlink(NULL, &req, temporary, NULL), uv_fs_req_cleanup(&req);
  free(temporary);
  return rc;
}

int fs_write(fs_job *j) {
  if (j->atomic) return write_atomically(j);
  int mode = j->mode == FS_MODE_DEFAULT ? 0644 : (int)j->mode;
  int fd = open_file(j->path, O_WRONLY | O_CREAT | (j->append ? O_APPEND : O_TRUNC), mode);
  if (fd < 0) return fd;
  int rc = write_all(j, fd);
  close_file(fd);
  return rc;
}

int fs_stat(fs_job *j) {
  uv_fs_t req;
  int rc =
      j->follow ? uv_fs_stat(NULL, &req, j->path, NULL) : uv_fs_lstat(NULL, &req, j->path, NULL);
  if (rc == 0) j->stat = req.statbuf;
  uv_fs_req_cleanup(&req);
  return rc;
}

int fs_rename(fs_job *j) {
  uv_fs_t req;
  int rc = uv_fs_rename(NULL, &req, j->path, j->to, NULL);
  uv_fs_req_cleanup(&req);
  return rc;
}

int fs_chmod(fs_job *j) {
  uv_fs_t req;
  int rc = uv_fs_chmod(NULL, &req, j->path, (int)j->mode, NULL);
  uv_fs_req_cleanup(&req);
  return rc;
}

int fs_symlink(fs_job *j) {
  uv_fs_t req;
  int rc = uv_fs_symlink(NULL, &req, j->path, j->to, 0, NULL);
  uv_fs_req_cleanup(&req);
  return rc;
}

int fs_realpath(fs_job *j) {
  uv_fs_t req;
  int rc = uv_fs_realpath(NULL, &req, j->path, NULL);
  if (rc == 0) it_buf_add(&j->data, req.ptr, strlen(req.ptr));
  uv_fs_req_cleanup(&req);
  return rc;
}
