rockspec_format = "3.0"
package = "itlua"
version = "0.1.0-1"
source = { url = "." } -- in a clone: luarocks make rocks/itlua-0.1.0-1.rockspec
description = {
  summary = "Runs busted-style specs as integration tests",
  detailed = [[
One native program with Lua 5.4 inside: specs read from top to bottom as if every call blocked, and run side by side.
HTTP client and server, JSON, processes, deadlines that cancel, nothing left behind.]],
  license = "MIT",
}
dependencies = { "lua ~> 5.4", "luassert >= 1.8", "say >= 1.3" }
-- The Makefile asks pkg-config for libuv, libcurl, libmicrohttpd, cJSON, OpenSSL and Lua.
build = {
  type = "make",
  build_target = "all",
  install_target = "install",
  install_variables = { PREFIX = "$(PREFIX)" },
}
