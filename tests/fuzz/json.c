/*
 * json.c - fuzz target of the JSON binding. Whatever the input, decode gives a value or an error with a place in the text;
 * a value survives encode and decode; and cJSON, an independent reader, agrees with what was accepted.
 *
 *   clang -fsanitize=fuzzer,address,undefined … tests/fuzz/json.c src/bind/json*.c src/core/[a-z]*.c    to search
 *   cc … tests/fuzz/json.c tests/fuzz/replay.c …                                                        to replay corpus/json
 */
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

int luaopen_itlua_json_core(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char CHECKS[] =
    "local core, text = ...\n"
    "local function is_number(v) return getmetatable(v) == core.number_metatable end\n"
    "local function check(ok, why) if not ok then error(why, 2) end end\n"
    "local function agree(ours, theirs)\n"
    "  if is_number(ours) then return math.abs(tonumber(tostring(ours)) - theirs) == 0 or\n"
    "    tonumber(tostring(ours)) == theirs end\n"
    "  if type(ours) == 'number' then return ours + 0.0 == theirs end\n"
    "  if type(ours) == 'string' then return ours:match('^[^\\0]*') == theirs end\n"
    "  if type(ours) ~= 'table' then return ours == theirs end\n"
    "  if (getmetatable(ours) == core.array) ~= (getmetatable(theirs) == core.array) then return false end\n"
    "  for k in pairs(ours) do\n"
    "    if type(k) == 'string' and k:find('\\0') then return true end\n" /* cJSON takes it for another */
    "  end\n"
    "  for k, v in pairs(ours) do\n"
    "    if not agree(v, theirs[k]) then return false end\n"
    "  end\n"
    "  return true\n"
    "end\n"
    "local ok, value = pcall(core.decode, text, { duplicates = 'first' })\n"
    "if ok then\n"
    "  local again = core.encode(value)\n"
    "  check(core.encode(core.decode(again)) == again, 'encode of decode')\n"
    "  check(core.minify(core.encode(value, { pretty = true })) == again, 'pretty')\n"
    "  check(core.encode(core.decode(core.encode(value, { ascii = true, order = 'any' }))) == again, 'ascii')\n"
    "  check(core.encode(core.decode(core.minify(text), { duplicates = 'first' })) == again, 'minify')\n"
    "  local ordered = core.decode(text, { ordered = true, duplicates = 'first' })\n"
    "  check(core.encode(ordered, { order = 'sorted' }) == again, 'ordered')\n"
    "  check(core.encode(core.decode(core.encode(ordered))) == again, 'kept order')\n"
    "  if not text:find(('[-+.eE0-9]'):rep(60)) then\n" /* where cJSON's buffer for numbers ends */
    "    local read, theirs = core.peer(text)\n"
    "    check(read, 'cJSON refuses it')\n"
    "    check(agree(value, theirs), 'cJSON reads something else')\n"
    "  end\n"
    "else\n"
    "  check(value.kind == 'json' and value.byte >= 1 and value.byte <= #text + 1, tostring(value.message))\n"
    "  check(utf8.len(value.message) and not value.message:find('[\\1-\\9\\11-\\31\\127]'), 'message')\n"
    "end\n"
    "local kept, any = pcall(core.decode, text, { utf8 = 'keep' })\n"
    "check(kept or not ok, 'keep')\n"
    "if kept then\n"
    "  local again = core.encode(any, { utf8 = 'keep' })\n"
    "  check(core.encode(core.decode(again, { utf8 = 'keep' }), { utf8 = 'keep' }) == again, 'encode of decode, kept')\n"
    "end\n"
    "local replaced, clean = pcall(core.decode, text, { utf8 = 'replace', big = 'float' })\n"
    "check(replaced == kept, 'replace')\n"
    "if replaced then pcall(core.encode, clean) end\n"
    "core.encode(text, { utf8 = 'replace', ascii = true })\n"
    "check(core.decode(core.encode(text, { utf8 = 'keep' }), { utf8 = 'keep' }) == text, 'a string')\n";

static bool load(lua_State *L, const char *module) {
  (void)L;
  (void)module;
  return false;
}

static lua_CFunction find(lua_State *L, const char *module) {
  (void)L;
  (void)module;
  return NULL;
}

static lua_State *state(void) {
  static const it_host host = {load, find};
  static it_sched sched;
  static lua_State *L;
  if (L) return L;
  it_sched_open(&sched, &host);
  L = it_state_lua(it_state_new(&sched, "fuzz"));
  lua_sethook(L, NULL, 0, 0);
  if (luaL_loadstring(L, CHECKS) != LUA_OK) abort();
  luaopen_itlua_json_core(L);
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = state();
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    fprintf(stderr, "json: %s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  lua_settop(L, 2);
  return 0;
}
