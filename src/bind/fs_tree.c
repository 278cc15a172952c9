/*
 * fs_tree.c - folders with what is in them, on a pool thread: make, list, copy, remove. Symbolic links are never followed.
 */
#include <stdlib.h>
#include <string.h>

#include "fs.h"

typedef struct entry {
  char *path;
  uv_dirent_type_t type;
} entry;

static char *join(const char *folder, const char *name) {
  it_buf b = {0};
  size_t n = strlen(folder);
  it_buf_addf(&b, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name);
  return b.data;
}

static int blame(fs_job *j, const char *path, int rc) {
  if (rc != 0 && j && !j->culprit) j->culprit = it_strdup(path);
  return rc;
}

static bool is_folder(const char *path, uv_dirent_type_t type) {
  uv_fs_t req;
  if (type != UV_DIRENT_UNKNOWN) return type == UV_DIRENT_DIR;
  bool yes = uv_fs_lstat(NULL, &req, path, NULL) == 0 && (req.statbuf.st_mode & S_IFMT) == S_IFDIR;
  uv_fs_req_cleanup(&req);
  return yes;
}

/* Calls `visit` for all in a folder, until one fails. */
static int each(fs_job *j, const char *folder, int (*visit)(fs_job *j, const entry *e, void *data),
                void *data) {
  uv_fs_t req;
  uv_dirent_t found;
  int rc = uv_fs_scandir(NULL, &req, folder, 0, NULL);
  if (rc < 0) {
    uv_fs_req_cleanup(&req);
    return blame(j, folder, rc);
  }
  for (rc = 0; rc == 0 && uv_fs_scandir_next(&req, &found) == 0;) {
    entry e = {.path = join(folder, found.name), .type = found.type};
    rc = j && atomic_load(&j->stop) ? UV_ECANCELED : visit(j, &e, data);
    free(e.path);
  }
  uv_fs_req_cleanup(&req);
  return rc;
}

/* ---- list ---- */

static int list_one(fs_job *j, const entry *e, void *data) {
  size_t base = *(const size_t *)data;
  it_buf_add(&j->data, e->path + base, strlen(e->path + base) + 1);
  return j->recursive && is_folder(e->path, e->type) ? each(j, e->path, list_one, data) : 0;
}

int fs_list(fs_job *j) {
  size_t n = strlen(j->path), base = n > 0 && j->path[n - 1] == '/' ? n : n + 1;
  return each(j, j->path, list_one, &base);
}

/* ---- make ---- */

static int make_one(fs_job *j, const char *path) {
  uv_fs_t req;
  int rc = uv_fs_mkdir(NULL, &req, path, (int)j->mode, NULL);
  uv_fs_req_cleanup(&req);
  if (rc != UV_EEXIST) return rc;
  rc = uv_fs_stat(NULL, &req, path, NULL);
  if (rc == 0 && (req.statbuf.st_mode & S_IFMT) != S_IFDIR) rc = UV_EEXIST;
  uv_fs_req_cleanup(&req);
  return rc;
}

/* Like mkdir -p: a folder that exists is fine. */
int fs_make(fs_job *j) {
  for (char *p = j->path + 1; *j->path && *p; p++) {
    if (*p != '/' || p[-1] == '/') continue;
    *p = 0;
    int rc = make_one(j, j->path);
    if (rc != 0) blame(j, j->path, rc);
    *p = '/';
    if (rc != 0) return rc;
  }
  return make_one(j, j->path);
}

/* ---- copy ---- */

static int copy_link(const char *from, const char *to) {
  uv_fs_t link, req;
  int rc = uv_fs_readlink(NULL, &link, from, NULL);
  if (rc == 0) {
    rc = uv_fs_symlink(NULL, &req, link.ptr, to, 0, NULL);
    uv_fs_req_cleanup(&req);
  }
  uv_fs_req_cleanup(&link);
  return rc;
}

static int copy_tree(fs_job *j, const char *from, const char *to);

static int copy_one(fs_job *j, const entry *e, void *data) {
  char *to = join(data, strrchr(e->path, '/') + 1);
  int rc = copy_tree(j, e->path, to);
  free(to);
  return rc;
}

static int copy_tree(fs_job *j, const char *from, const char *to) {
  uv_fs_t req;
  int rc = uv_fs_lstat(NULL, &req, from, NULL);
  uint64_t type = req.statbuf.st_mode & S_IFMT, mode = req.statbuf.st_mode & 07777;
  uv_fs_req_cleanup(&req);
  if (rc != 0) return blame(j, from, rc);
  if (type == S_IFLNK) return blame(j, from, copy_link(from, to));
  if (type == S_IFREG) {
    rc = uv_fs_copyfile(NULL, &req, from, to, UV_FS_COPYFILE_FICLONE, NULL);
    uv_fs_req_cleanup(&req);
    return blame(j, rc == UV_ENOENT || rc == UV_EACCES ? to : from, rc);
  }
  if (type != S_IFDIR || !j->recursive) {
    j->why =
        type == S_IFDIR ? "it is a folder (option 'recursive')" : "it is neither file nor folder";
    return blame(j, from, type == S_IFDIR ? UV_EISDIR : UV_EINVAL);
  }
  rc = uv_fs_mkdir(NULL, &req, to, (int)(mode | S_IRWXU), NULL);
  uv_fs_req_cleanup(&req);
  if (rc != 0 && rc != UV_EEXIST) return blame(j, to, rc);
  union {
    const char *in;
    void *out;
  } target = {.in = to};
  return each(j, from, copy_one, target.out);
}

static bool begins_with_folder(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return strncmp(path, folder, n) == 0 &&
         (path[n] == 0 || path[n] == '/' || (n > 0 && folder[n - 1] == '/'));
}

int fs_copy(fs_job *j) {
  if (j->recursive && begins_with_folder(j->to, j->path)) {
    j->why = "a folder cannot be copied into itself";
    return UV_EINVAL;
  }
  return copy_tree(j, j->path, j->to);
}

/* ---- remove ---- */

static int remove_one(fs_job *j, const entry *e, void *data);

static int remove_folder(fs_job *j, const char *path, bool own) {
  uv_fs_t req;
  if (own) uv_fs_chmod(NULL, &req, path, S_IRWXU, NULL), uv_fs_req_cleanup(&req);
  int rc = each(j, path, remove_one, &own);
  if (rc != 0) return rc;
  rc = uv_fs_rmdir(NULL, &req, path, NULL);
  uv_fs_req_cleanup(&req);
  return blame(j, path, rc);
}

static int remove_one(fs_job *j, const entry *e, void *data) {
  uv_fs_t req;
  bool own = *(const bool *)data;
  if (is_folder(e->path, e->type)) return remove_folder(j, e->path, own);
  int rc = uv_fs_unlink(NULL, &req, e->path, NULL);
  uv_fs_req_cleanup(&req);
  return rc == UV_ENOENT ? 0 : blame(j, e->path, rc);
}

void fs_remove_own(const char *path) {
  uv_fs_t req;
  if (is_folder(path, UV_DIRENT_UNKNOWN)) {
    remove_folder(NULL, path, true);
  } else {
    uv_fs_unlink(NULL, &req, path, NULL);
    uv_fs_req_cleanup(&req);
  }
}

/* A folder that nobody means to remove with all that is in it: the root and what is directly below it, what the program
 * stands in, the home folder. NULL: go ahead. */
static const char *precious(const char *path) {
  uv_fs_t req;
  char here[4096] = "", home[4096] = "";
  size_t here_size = sizeof here, home_size = sizeof home;
  const char *why = NULL;
  if (uv_fs_realpath(NULL, &req, path, NULL) != 0) why = "its real path cannot be told";
  else {
    const char *real = req.ptr;
    if (uv_cwd(here, &here_size) != 0) here[0] = 0;
    if (uv_os_homedir(home, &home_size) != 0) home[0] = 0;
    if (!strchr(real + 1, '/')) why = "a folder so near to the root is not removed";
    else if (begins_with_folder(here, real)) why = "the program stands in it";
    else if (begins_with_folder(home, real)) why = "the home folder is in it";
  }
  uv_fs_req_cleanup(&req);
  return why;
}

int fs_remove(fs_job *j) {
  uv_fs_t req;
  int rc = uv_fs_lstat(NULL, &req, j->path, NULL);
  bool folder = rc == 0 && (req.statbuf.st_mode & S_IFMT) == S_IFDIR;
  uv_fs_req_cleanup(&req);
  if (rc == UV_ENOENT && j->force) return 0;
  if (rc != 0) return rc;
  if (folder && j->recursive) {
    if (!j->own && (j->why = precious(j->path))) return UV_EPERM;
    return remove_folder(j, j->path, j->own);
  }
  rc = folder ? uv_fs_rmdir(NULL, &req, j->path, NULL) : uv_fs_unlink(NULL, &req, j->path, NULL);
  uv_fs_req_cleanup(&req);
  if (rc == UV_ENOTEMPTY) j->why = "the folder is not empty (option 'recursive')";
  return rc;
}
