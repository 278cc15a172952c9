rockspec_format = "3.0"
package = "itlua-udp"
version = "0.1.0-1"
source = { url = "." } -- in a clone: luarocks make itlua-udp-0.1.0-1.rockspec
description = {
  summary = "UDP datagrams for itlua specs",
  detailed = "An add-on of itlua: what a service sends to statsd, syslog and the like can be waited for in a spec.",
  license = "MIT",
}
dependencies = { "lua ~> 5.4" }
external_dependencies = { ITLUA = { header = "itlua.h" } }
build = {
  type = "builtin",
  modules = { udp = { sources = { "udp.c" }, incdirs = { "$(ITLUA_INCDIR)" } } },
}
