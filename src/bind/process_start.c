/*
 * process_start.c - from the table that Lua gives to a running process: its words, its environment, and what is said when it
 * cannot be started.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

extern char **environ; /* NOLINT(readability-redundant-declaration): POSIX wants it declared */

/* The strings of the list at `idx` as an array that ends with NULL; the list keeps the strings, the stack the array. */
static char **string_list(lua_State *L, int idx, int extra) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  char **list = lua_newuserdatauv(L, ((size_t)n + (size_t)extra + 1) * sizeof(char *), 0);
  for (lua_Integer i = 1; i <= n; i++) {
    size_t size;
    if (lua_rawgeti(L, idx, i) != LUA_TSTRING)
      it_usage(L, "process: element %d of a list is no string", (int)i);
    union {
      const char *in;
      char *out;
    } text = {.in = lua_tolstring(L, -1, &size)};
    if (strlen(text.in) != size)
      it_usage(L, "process: element %d of a list has a NUL in it", (int)i);
    list[i - 1] = text.out;
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}

/* Ours, with what the list at `idx` ("NAME=value", or "NAME" to remove) says otherwise. */
static char **environment(lua_State *L, int idx, bool ours) {
  int count = 0, have = 0;
  while (ours && environ[count]) count++;
  char **list = string_list(L, idx, count), **given = string_list(L, idx, 0);
  for (int i = 0; given[i]; i++)
    if (strchr(given[i], '=')) list[have++] = given[i];
  for (int i = 0; i < count; i++) {
    size_t name = strcspn(environ[i], "=");
    bool said = false;
    for (int j = 0; given[j] && !said; j++)
      said = strcspn(given[j], "=") == name && strncmp(given[j], environ[i], name) == 0;
    if (!said) list[have++] = environ[i];
  }
  list[have] = NULL;
  return list;
}

static _Noreturn void fail(lua_State *L, const process_plan *plan, int rc) {
  struct stat st;
  const char *name = plan->command[0];
  if (plan->cwd && (stat(plan->cwd, &st) != 0 || !S_ISDIR(st.st_mode)))
    it_raise(L, "process", uv_err_name(rc), "cannot run '%s' in '%s': there is no such folder",
             name, plan->cwd);
  if (rc == UV_ENOENT && !strchr(name, '/'))
    it_raise(L, "process", "ENOENT", "cannot run '%s': there is no such program in PATH", name);
  if (rc == UV_ENOENT)
    it_raise(L, "process", "ENOENT", "cannot run '%s': %s", name,
             access(name, F_OK) == 0 ? "the interpreter in its first line does not exist"
                                     : "there is no such file");
  if (rc == UV_EACCES)
    it_raise(L, "process", "EACCES", "cannot run '%s': it is not executable", name);
  it_raise(L, "process", uv_err_name(rc), "cannot run '%s': %s", name, uv_strerror(rc));
}

/* start(command, options) -> process; the options of process.lua, with env as a list */
int process_start(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  process_plan plan = {.command = string_list(L, 1, 0)};
  if (!plan.command[0]) it_usage(L, "process: the command is empty");
  lua_Integer limit = it_opt_integer(L, 2, "max_output", 16 << 20);
  if (limit < 1) it_usage(L, "process: max_output is at least 1 byte");
  plan.cwd = it_opt_string(L, 2, "cwd", NULL);
  plan.merge = it_opt_boolean(L, 2, "merge", false);
  plan.with_stdin = it_opt_boolean(L, 2, "stdin", true);
  plan.input = it_opt_string(L, 2, "input", NULL);
  if (plan.input) {
    plan.with_stdin = true;
    lua_getfield(L, 2, "input");
    plan.input_size = lua_rawlen(L, -1);
  }
  if (lua_getfield(L, 2, "env") == LUA_TTABLE)
    plan.environment = environment(L, lua_gettop(L), !it_opt_boolean(L, 2, "clear_env", false));
  process *p = it_res_new(L, sizeof *p, &process_class);
  p->limit = (size_t)limit;
  p->strict = it_opt_boolean(L, 2, "strict", false);
  int rc = process_spawn(p, &plan);
  if (rc != 0) fail(L, &plan, rc);
  it_buf command = {0};
  it_buf_add(&command, "", 0);
  for (char **word = plan.command; *word && command.size < 60; word++)
    it_buf_addf(&command, word == plan.command ? "%s" : " %s", *word);
  it_res_open(&p->res, "process '%.60s%s' (pid %d)", command.data, command.size > 60 ? "…" : "",
              p->pid);
  it_buf_free(&command);
  return 1;
}
