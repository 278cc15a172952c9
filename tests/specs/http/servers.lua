-- Servers for the specs of this folder: odd.py with its strange answers, nginx for HTTP/2, certificates for both.

local process = require "itlua.process"
local http = require "itlua.http"

local servers = {}

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"

local function started(command)
  local p = process.start(command)
  return p, p:read_line({ timeout = 30 })
end

--- odd.py on a port of its own: the process and its URL.
function servers.odd(...)
  local p, port = started { "python3", folder .. "odd.py", ... }
  return p, ("http%s://127.0.0.1:%s"):format((...) == "--tls" and "s" or "", port)
end

--- odd.py on a local socket.
function servers.odd_unix(path)
  return (started { "python3", folder .. "odd.py", "--unix", path })
end

--- A folder that is removed by servers.remove.
function servers.folder()
  return (process.run { "mktemp", "-d", "/tmp/itlua-http-XXXXXX" }.stdout:gsub("%s+$", ""))
end

function servers.remove(path)
  assert(path:find("^/tmp/itlua%-http%-"))
  process.run { "rm", "-rf", path }
end

local SCRIPT = [[
set -e
cd "$1"
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
openssl req -x509 $new -nodes -keyout ca.key -out ca.pem -subj "/CN=itlua test CA" -days 30 2>/dev/null
sign() { # name, subject, names, days
  openssl req $new -nodes -keyout $1.key -out $1.csr -subj "/CN=$2" 2>/dev/null
  printf 'subjectAltName=%s\n' "$3" > $1.ext
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem -days $4 -extfile $1.ext 2>/dev/null
}
sign good localhost DNS:localhost,IP:127.0.0.1 30
sign other elsewhere.test DNS:elsewhere.test 30
sign client client DNS:client 30
# expired: a CA's database may set the dates
mkdir -p db && : > db/index.txt && echo 01 > db/serial
cat > ca.cnf <<END
[ca]
default_ca=d
[d]
dir=db
database=db/index.txt
serial=db/serial
new_certs_dir=db
default_md=sha256
policy=p
unique_subject=no
[p]
commonName=supplied
END
openssl req $new -nodes -keyout old.key -out old.csr -subj "/CN=localhost" 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1\n' > old.ext
openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in old.csr -out old.pem -notext \
  -startdate 20200101000000Z -enddate 20200201000000Z -extfile old.ext 2>/dev/null
openssl req -x509 $new -nodes -keyout self.key -out self.pem -subj "/CN=localhost" \
  -addext subjectAltName=IP:127.0.0.1 -days 30 2>/dev/null
]]

--- Certificates in `path`: ca, good (localhost and 127.0.0.1), other (elsewhere.test), old (expired),
--- self (self-signed), client; each as NAME.pem and NAME.key.
function servers.certificates(path)
  local r = process.run { "sh", "-c", SCRIPT, "sh", path }
  assert(r.code == 0, r.stderr)
end

local NGINX = [[
worker_processes 1; daemon off; pid %s/nginx.pid; error_log %s/error.log;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c; uwsgi_temp_path %s/d;
  scgi_temp_path %s/e; default_type text/plain; keepalive_requests 1000000;
  server { listen 127.0.0.1:%d ssl http2; ssl_certificate %s/good.pem; ssl_certificate_key %s/good.key;
    location / { return 200 "$server_protocol $http_user_agent"; } location /moved { return 302 /there; } }
  server { listen 127.0.0.1:%d http2; location / { return 200 "$server_protocol"; } }
  server { listen 127.0.0.1:%d; location / { return 200 "$server_protocol"; } }
}
]]

-- A port that nobody listens on now.
function servers.free_port()
  return tonumber(process.run { "python3", "-c",
    "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])" }.stdout)
end

--- nginx with the certificates in `path`: the process, and the URLs of HTTP/2 over TLS, HTTP/2 without, and HTTP/1.1.
function servers.nginx(path)
  local ports = { servers.free_port(), servers.free_port(), servers.free_port() }
  local config = (NGINX:gsub("%%s", path)):format(table.unpack(ports))
  local file = assert(io.open(path .. "/nginx.conf", "w"))
  file:write(config)
  file:close()
  local p = process.start { "nginx", "-p", path, "-c", path .. "/nginx.conf", merge = true,
    env = { PATH = "/usr/sbin:/usr/bin:/bin" } }
  local urls = { ("https://127.0.0.1:%d"):format(ports[1]), ("http://127.0.0.1:%d"):format(ports[2]),
    ("http://127.0.0.1:%d"):format(ports[3]) }
  http.get(urls[3], { retry = { times = 400, delay = 0.05, factor = 1 } })
  return p, table.unpack(urls)
end

--- A port whose queue of connections is full, so that connecting takes for ever; its first line is the port.
function servers.full()
  return process.start { "python3", "-c", [[
import socket, signal
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
held = []
for i in range(4):
    c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); held.append(c)
import time; time.sleep(0.1)
print(s.getsockname()[1], flush=True)
signal.pause()
]] }
end

return servers
