What is wrong with the services of itlua.lua is said before anything runs.

  $ mkdir specs; echo 'it("is here", function() end)' >specs/a_spec.lua
  $ services() { echo "return { services = { $1 } }" >itlua.lua; itlua; }
  $ services 'db = { kind = "postgrs" }'
  itlua: itlua.lua:1: services.db: there is no kind 'postgrs' (did you mean postgres?) (there is compose, container, fixture, kafka, postgres, process, redis; or the path of a Lua file)
  [2]
  $ services 'db = {}'
  itlua: itlua.lua:1: services.db needs a kind (there is compose, container, fixture, kafka, postgres, process, redis)
  [2]
  $ services 'db = { kind = "postgres", verion = "15" }'
  itlua: itlua.lua:1: services.db has no option 'verion' (did you mean version?)
  [2]
  $ services 'db = { kind = "postgres", version = 15.5 }'
  itlua: itlua.lua:1: services.db.version must be a string, not a number
  [2]
  $ services 'db = { kind = "postgres", provider = "magic" }'
  itlua: itlua.lua:1: services.db: no provider 'magic' of postgres (there is environment, docker, native)
  [2]
  $ services 'db = { kind = "postgres", provider = { "native", "dokcer" } }'
  itlua: itlua.lua:1: services.db: no provider 'dokcer' of postgres (there is environment, docker, native)
  [2]
  $ services 'db = { kind = "postgres", provider = {} }'
  itlua: itlua.lua:1: services.db.provider names none (there is environment, docker, native)
  [2]
  $ services 'db = { kind = "redis", settings = { f = print } }'
  itlua: itlua.lua:1: services.db.settings.f is a function: services are described by data
  [2]
  $ services 'app = { kind = "process" }'
  itlua: itlua.lua:1: services.app: option 'command' is missing
  [2]
  $ services 'app = { kind = "process", command = "x", ready = { htp = "/" } }'
  itlua: itlua.lua:1: services.app: ready has no 'htp' (there is http, line, port, status)
  [2]
  $ services 'app = { kind = "process", command = "x", env = { A = "${bd.url}" } }, db = { kind = "redis" }'
  itlua: itlua.lua:1: services.app: ${bd.url} refers to no service (did you mean db?)
  [2]
  $ services 'app = { kind = "process", command = "x", env = { A = "${db.urk}" } }, db = { kind = "redis" }'
  itlua: itlua.lua:1: services.app: ${db.urk}: db has no field 'urk' (there is url, host, port, version)
  [2]
  $ services 'app = { kind = "process", command = "${s.web.urk}" }, s = { kind = "compose", file = "c.yml" }'
  itlua: itlua.lua:1: services.app: ${s.web.urk}: of a compose project one refers to SERVICE.url, SERVICE.host, SERVICE.port, or SERVICE:PORT.url (did you mean url?)
  [2]
  $ services 's = { kind = "compose" }'
  itlua: itlua.lua:1: services.s: option 'file' is missing, or 'folder'
  [2]
  $ services 's = { kind = "compose", file = "c.yml", ready = { web = { htp = "/" } } }'
  itlua: itlua.lua:1: services.s: ready.web has no 'htp' (there is http, status, line, port)
  [2]
  $ services 'a = { kind = "process", command = "${b.url}" }, b = { kind = "process", command = "${a.url}" }'
  itlua: itlua.lua:1: services need each other: a needs b needs a
  [2]
  $ services 'a = { kind = "process", command = "x", depends_on = { "a" } }'
  itlua: itlua.lua:1: services need each other: a needs a
  [2]
  $ services '["a-b"] = { kind = "redis" }'
  itlua: itlua.lua:1: services: 'a-b' is no name for a service
  [2]
  $ services 'x = { kind = "no/kind.lua" }'
  itlua: itlua.lua:1: services.x: kind cannot open no/kind.lua: No such file or directory
  [2]

A kind of the project's own is a Lua file.

  $ cat >clock.lua <<'END'
  > return {
  >   name = "clock", fields = { "url" }, options = { zone = "string" },
  >   check = function(spec) if not spec.zone then return "option 'zone' is missing" end end,
  >   providers = { {
  >     name = "wall",
  >     find = function() return {}, "the clock on the wall" end,
  >     start = function(context) return { fields = { url = "clock:" .. context.spec.zone } } end,
  >   } },
  >   methods = { connect = function(service) return "connected to " .. service.url end },
  > }
  > END
  $ services 'time = { kind = "clock.lua" }'
  itlua: itlua.lua:1: services.time: option 'zone' is missing
  [2]
  $ cat >specs/a_spec.lua <<'END'
  > local services = require "itlua.services"
  > it("ticks", function() assert.equal("connected to clock:UTC", services.time:connect()) end)
  > END
  $ services 'time = { kind = "clock.lua", zone = "UTC" }' | grep -o "1 passed"
  1 passed

What would be chosen, and why.

  $ unset DATABASE_URL; export DOCKER_HOST=unix:///none
  $ services 'db = { kind = "postgres", version = "3" }' >/dev/null; itlua doctor | grep ' db ' | grep -o 'cannot.*ers; not native'
  cannot be had here (not environment: DATABASE_URL is not set; not docker: no container engine answers; not native
  $ services 'a = { kind = "process", command = { "cat" } }, b = { kind = "process", command = { "no-such" } }' >/dev/null
  [1]
  $ itlua doctor | grep -A 2 '^Services'
  Services of itlua.lua
    ok  a              native: cat
    !!  b              cannot be had here (not native: there is no program 'no-such' in PATH)

Services are kept between runs.

  $ itlua services
  itlua: services: up, down, status or logs? (itlua services --help)
  [2]
  $ itlua services upp
  itlua: services: there is no 'upp' (did you mean up?)
  [2]
  $ itlua services status
  no services were left running
  [1]
  $ itlua services down
  no services were left running
  $ cat >app.lua <<'END'
  > local srv = require("itlua.server").listen { port = math.tointeger(tonumber(os.getenv "PORT")) }
  > srv:get("/health", function() return { text = "fine" } end)
  > print "it is up"
  > io.stdout:flush()
  > srv:serve()
  > END
  $ cat >itlua.lua <<'END'
  > return { services = { app = { kind = "process", command = { "itlua", "exec", "app.lua" }, ready = { http = "/health" },
  >   env = { PORT = "${app.port}" } } } }
  > END
  $ cat >specs/a_spec.lua <<'END'
  > local services, fs = require "itlua.services", require "itlua.fs"
  > it("runs", function() fs.write("pid", tostring(services.app.pid)) end)
  > END
  $ itlua services up ap
  itlua: there is no service 'ap' in itlua.lua (did you mean app?)
  [2]
  $ itlua services up | sed 's/[0-9][0-9]*/N/g'
    app        ready    itlua exec app.lua  http://N.N.N.N:N  pid N  (N.N s)
  $ itlua services logs app
  it is up
  $ itlua | grep -o "1 passed"; cp pid first; itlua | grep -o "1 passed"; cmp first pid && echo the same
  1 passed
  1 passed
  the same
  $ echo 'print(require("itlua.services").app.state)' >script.lua; itlua exec script.lua
  ready
  $ itlua services status | sed 's/[0-9][0-9]*/N/g'
    app        ready    itlua exec app.lua  http://N.N.N.N:N  pid N  (N.N s)
  $ sed -i 's/PORT = /A = "b", PORT = /' itlua.lua; itlua 2>&1 >/dev/null; cmp -s first pid || echo another
  itlua: itlua.lua, or itlua itself, has changed since `itlua services up`: this run starts services of its own
  another
  $ itlua services up
  itlua: services of an earlier itlua.lua are running: itlua services down
  [2]
  $ itlua services down; ends $(cat first)
  $ itlua services status
  no services were left running
  [1]

Nobody could end what runs behind a socket that is gone: it ends by itself.

  $ mkdir run; export XDG_RUNTIME_DIR=$PWD/run; itlua services up >/dev/null; rm -r run/itlua-kept-*; ends $(cat pid)
  $ unset XDG_RUNTIME_DIR
  $ itlua exec script.lua 2>&1 | head -n 1
  itlua: script.lua:1: no services are running: this is no run of specs, and `itlua services up` has left none
  $ rm itlua.lua; itlua services up
  itlua: there is no itlua.lua here
  [2]
