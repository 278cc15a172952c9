--- HTTP: requests in straight-line code.
--
--     local http = require "itlua.http"
--     local api = http.client { base_url = "http://127.0.0.1:8080", bearer = token, timeout = 2 }
--     local r = api:post("/orders", { json = { sku = "a" } })
--     assert.equal(201, r.status)
--     print(r:json().id, r.headers["location"], r.timings.total)
--
-- Any answer is a response, a 500 too. What prevents an answer (refused, reset, DNS, TLS, timeout, malformed, too
-- large, too many redirects) raises an error object with a kind, a stable code and a message that says what to do.

local clients = require "itlua.http.client"

local http = {}

---@class itlua.http.RequestOptions
---@field query? table|string          added to the URL; lists are repeated
---@field headers? table               by name; a list repeats one, false leaves one out
---@field json? any                    the body, encoded; Content-Type: application/json
---@field form? table|string           the body, url-encoded
---@field multipart? table             parts by name: a string, {data|file=, filename=, type=, headers=}, a list of
---those; or a list of {name=, …}
---@field body? string|function|file*  the body: bytes; a function that returns piece after piece, then nil; an open
---file
---@field file? string                 the body: the contents of this file
---@field body_size? integer           of a body that is a function or an open file, where it is known
---@field stream? boolean              return once the head is there; read the body with r:chunks() or r:lines()
---@field timeout? number|false        seconds for all of it, 10; of a streamed response, for each wait
---@field connect_timeout? number|false   seconds, 5
---@field max_size? number|false       bytes of the response's body, 64 MiB; none for a streamed one
---@field redirects? integer|boolean   how many are followed, 10; false: none
---@field bearer? string|false         a token
---@field basic? table|string|false    {"user", "password"}
---@field digest? table|string|false   {"user", "password"}
---@field cookies? table               more cookies, for this request
---@field tls? { ca?: string, cert?: string, key?: string, key_password?: string, verify?: boolean, version?: string }
---paths or PEM text
---@field proxy? string|false          "http://host:port", "socks5://…"; false: none, whatever the environment says
---@field unix_socket? string          path of a local socket to speak through
---@field version? string|number       "1.0", "1.1", "2", "2-prior-knowledge" (HTTP/2 without TLS)
---@field decompress? boolean          ask for compressed answers and unpack them, false
---@field keep_alive? boolean          use a connection again, true
---@field resolve? table<string, string>   {["api.example:443"] = "127.0.0.1:8443"}: where to connect instead
---@field retry? integer|table|boolean { times=3, delay=0.1, factor=2, max_delay=5, status={429, 502, 503, 504},
---errors=true }

---@class itlua.http.ClientOptions: itlua.http.RequestOptions   without the body's
---@field base_url? string
---@field quiet? boolean               its requests stay out of timelines and last_curl: a module's own business
---@field cookies? boolean|table       keep cookies, true; a table: these with every request

--- A client: settings, cookies and connections for the requests of a test. `api:get(path, options)`, post, put,
--- patch, delete, head, options, request(method, …), events, graphql, burst.
---@param options? itlua.http.ClientOptions
---@return itlua.http.Client
function http.client(options)
  return clients.new(options)
end

-- Of http.get and its kin: no base, no cookies.
local plain

local function default()
  plain = plain or clients.new { cookies = false }
  return plain
end

--- A request without a client: http.get(url, options). Raises as itlua.http.Client.request.
---@param method string
---@param url string
---@param options? itlua.http.RequestOptions
---@return itlua.http.Response
function http.request(method, url, options)
  return default():request(method, url, options)
end

for _, name in ipairs { "get", "head", "post", "put", "patch", "delete", "options" } do
  http[name] = function(url, options)
    local client = default()
    return client[name](client, url, options)
  end
end

--- Server-sent events of a URL; see itlua.http.Client.events.
---@param url string
---@param options? itlua.http.EventOptions
---@return itlua.http.Events
function http.events(url, options)
  return default():events(url, options)
end

--- A GraphQL request: http.graphql{url=, query=, variables=}.
---@param options itlua.http.GraphqlOptions
---@return itlua.http.GraphqlResponse
function http.graphql(options)
  return require "itlua.http.graphql".request(default(), options)
end

--- Sends many equal requests at once, without Lua in between, and returns counts and latencies:
--- http.burst{url = …, requests = 1000, concurrency = 32}, or {client = api, url = "/path", …}.
---@param options itlua.http.BurstOptions
---@return itlua.http.Burst
function http.burst(options)
  return require "itlua.http.burst".run(nil, nil, options, default)
end

--- The last request of this script or spec file as a curl command; nil where there was none.
---@return string?
function http.last_curl()
  return clients.last_curl()
end

--- Forgets the last request, so that last_curl() tells of what comes from now on.
function http.forget_last()
  clients.forget_last()
end

local evidence = require "itlua.evidence"
evidence.offer("curl", clients.last_curl, clients.forget_last)
evidence.describe("http.request", function(kept, _, brief) return require "itlua.http.story".of(kept, brief) end)

return http
