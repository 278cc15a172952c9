--- Requests as curl commands: quoted for a POSIX shell, one line, doing the same.

local curl = {}

local ARGUMENT_MAX = 100000 -- Linux takes 128 KiB in one argument; a longer body comes through a pipe

local LONGEST_SHOWN <const> = 65536 -- bytes of a body in a report's command

local function quote(s)
  if s:find("^[%w%-_./:=,@%%+]+$") then return s end
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- printf is a builtin: no limit on what it is given, and any byte can be written.
local function printf(s)
  local escaped = s:gsub("[%c\\'%%\128-\255]", function(c) return ("\\%03o"):format(c:byte()) end)
  return "printf '" .. escaped .. "'"
end

local function is_text(s)
  return #s <= ARGUMENT_MAX and not s:find("%z")
end

local function add(args, ...)
  for i = 1, select("#", ...) do args[#args + 1] = quote((select(i, ...))) end
end

-- ---- parts of a command -------------------------------------------------------------------------

local function connection(args, s)
  if s.version then
    add(args, ({ ["1.0"] = "--http1.0", ["1.1"] = "--http1.1", ["2"] = "--http2", ["3"] = "--http3",
      ["2-prior-knowledge"] = "--http2-prior-knowledge" })[s.version])
  end
  if s.proxy then add(args, "-x", s.proxy) end
  if s.proxy == false then
    add(args, "--noproxy", "*")
  elseif s.no_proxy and s.no_proxy ~= "" then
    add(args, "--noproxy", s.no_proxy)
  end
  if s.unix_socket then add(args, "--unix-socket", s.unix_socket) end
  for _, line in ipairs(s.connect_to or {}) do add(args, "--connect-to", line) end
end

-- A PEM text has no file: the shell makes one (bash, zsh).
local function tls(args, s)
  for option, flag in pairs { ca = "--cacert", cert = "--cert", key = "--key" } do
    if s[option] then
      add(args, flag, s[option])
    elseif s[option .. "_pem"] then
      add(args, flag)
      args[#args + 1] = "<(" .. printf(s[option .. "_pem"]) .. ")"
    end
  end
  if s.key_password then add(args, "--pass", s.key_password) end
  if s.verify == false then add(args, "-k") end
  if s.tls_version then add(args, "--tlsv" .. s.tls_version, "--tls-max", s.tls_version) end
end

local function credentials(args, s)
  if not s.user then return end
  if s.auth == "digest" then add(args, "--digest") end
  add(args, "-u", s.user .. ":" .. s.password)
end

local function matches(cookie, host, path, secure)
  local domain = cookie.domain:gsub("^%.", "")
  if host ~= domain and (cookie.domain == domain or host:sub(-#cookie.domain) ~= cookie.domain) then return false end
  if cookie.secure and not secure then return false end
  local below = cookie.path:gsub("/$", "")
  return path == below or path:sub(1, #below + 1) == below .. "/"
end

-- Those of the jar as it was when the request was sent, and those of its options.
local function cookies(args, url, s, jar)
  local list = {}
  if s.cookie then list[1] = s.cookie end
  local scheme, host, path = url:match("^(%a+)://[^/?#]-@?([^/?#@:]+):?%d*([^?#]*)")
  local sent = {}
  for i, cookie in ipairs(jar or {}) do
    if host and matches(cookie, host:lower(), path ~= "" and path or "/", scheme:lower() == "https") then
      sent[#sent + 1] = { cookie = cookie, at = i }
    end
  end
  table.sort(sent, function(a, b) -- as libcurl does: the longest path first
    for _, field in ipairs { "path", "domain", "name" } do
      local x, y = #a.cookie[field], #b.cookie[field]
      if x ~= y then return x > y end
    end
    return a.at < b.at
  end)
  for _, entry in ipairs(sent) do list[#list + 1] = entry.cookie.name .. "=" .. entry.cookie.value end
  if #list > 0 then add(args, "-b", table.concat(list, "; ")) end
end

local function quoted(s)
  return '"' .. s:gsub('[\\"]', "\\%0") .. '"'
end

local function part(args, p, feed)
  local text = p.name and p.name .. "=" or "="
  local more = (p.type and ";type=" .. p.type or "") .. (p.filename and ";filename=" .. quoted(p.filename) or "")
  for _, line in ipairs(p.headers or {}) do more = more .. ";headers=" .. quoted(line) end
  if p.file then
    add(args, "-F", text .. "@" .. quoted(p.file) .. more)
  elseif not p.filename and is_text(p.data) then
    if more == "" then
      add(args, "--form-string", text .. p.data)
    else
      add(args, "-F", text .. quoted(p.data) .. more)
    end
  else -- contents without a file: a file of the shell's
    args[#args + 1] = "-F"
    args[#args + 1] = quote(text .. (p.filename and "@" or "<")) .. feed(p.data) .. (more ~= "" and quote(more) or "")
  end
end

local function body(args, method, plan)
  if plan.parts then
    for _, p in ipairs(plan.parts) do
      part(args, p, function(data) return "<(" .. printf(data) .. ")" end)
    end
  elseif plan.upload then
    add(args, "-T", "-", "-H", "Expect:")
    return nil, "# the body is not here: give it on standard input"
  elseif plan.body and not is_text(plan.body) then
    add(args, "--data-binary", "@-")
    return printf(plan.body) .. " | "
  elseif plan.body or method == "POST" or method == "PUT" or method == "PATCH" then
    add(args, "--data-raw", plan.body or "")
  end
end

local function method_flag(args, method, plan)
  local natural = plan.parts and "POST" or plan.upload and "PUT" or plan.body and "POST" or "GET"
  if method == "HEAD" then
    add(args, "-I")
  elseif method ~= natural then
    add(args, "-X", method)
  end
end

local function header_flags(args, lines, method, plan)
  local typed = false
  for _, line in ipairs(lines) do
    if line ~= "User-Agent: itlua" then add(args, "-H", line) end
    typed = typed or line:lower():find("^content%-type[:;]") ~= nil
  end
  local sends = plan.body or method == "POST" or method == "PUT" or method == "PATCH"
  if sends and not typed and not plan.parts and not plan.upload then add(args, "-H", "Content-Type:") end
end

-- ---- the command --------------------------------------------------------------------------------

--- A curl command that sends what the client sends for this plan.
---@param client table
---@param method string
---@param url string
---@param plan? table
---@param jar? table    the cookies the client had
---@return string
function curl.command(client, method, url, plan, jar)
  plan = plan or {}
  local s = setmetatable({}, { __index = function(_, key)
    local own = plan[key]
    if own ~= nil then return own end
    return client._settings[key]
  end })
  local args = { "curl" }
  if method ~= "HEAD" then add(args, "-i") end
  method_flag(args, method, plan)
  if s.redirects > 0 then add(args, "-L") end
  if s.decompress then add(args, "--compressed") end
  if url:find("[%[%]{}]") then add(args, "-g") end
  if url:find("/%.%.?[/?#]") or url:find("/%.%.?$") then add(args, "--path-as-is") end
  connection(args, s)
  tls(args, s)
  credentials(args, s)
  add(args, url)
  header_flags(args, plan.headers or client._settings.headers, method, plan)
  cookies(args, url, s, jar)
  local before, after = body(args, method, plan)
  return (before or "") .. table.concat(args, " ") .. (after and " " .. after or "")
end

--- The same for a report: a body that nobody would paste is left to be given on standard input.
---@param client table
---@param method string
---@param url string
---@param plan? table
---@param jar? table
---@return string
function curl.shown(client, method, url, plan, jar)
  if plan and type(plan.body) == "string" and #plan.body > LONGEST_SHOWN then
    local whole = plan
    plan = setmetatable({ upload = true }, { __index = function(_, key)
      if key ~= "body" then return whole[key] end
    end })
  end
  return curl.command(client, method, url, plan, jar)
end

return curl
