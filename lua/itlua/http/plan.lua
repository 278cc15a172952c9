--- Plans: one request as the binding takes it, from its options and its client.
--
-- A plan is flat: settings of the request's own, `headers` (all lines, the client's among them), and one of `body`
-- (bytes), `parts` (multipart) and `upload` (the size of a body that will be fed by `feed`, -1 where it is not
-- known).

local core = require "itlua.core"
local headers = require "itlua.http.headers"
local options = require "itlua.http.options"
local url = require "itlua.http.url"

local plan = {}

local PIECE = 65536

local BODIES = { "json", "form", "multipart", "body", "file" }

-- ---- multipart ----------------------------------------------------------------------------------

local PART = {
  name = "string", data = "string number", file = "string", filename = "string", type = "string", headers = "table",
}

local function part(name, value)
  if type(value) ~= "table" then
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      core.usage(("multipart: part '%s' is a %s; it can be a string, or a table with data or file"):format(name, kind))
    end
    return { name = name, data = tostring(value) }
  end
  options.check(value, PART, "a part of multipart")
  if (value.data == nil) == (value.file == nil) then
    core.usage(("multipart: part '%s' needs either data or file"):format(tostring(value.name or name)))
  end
  return {
    name = value.name or name,
    data = value.data and tostring(value.data),
    file = value.file,
    filename = value.filename,
    type = value.type,
    headers = value.headers and headers.lines(headers.entries(value.headers)),
  }
end

local function parts(given)
  local list, names = {}, {}
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" then
      names[#names + 1] = key
    elseif type(value) ~= "table" then
      core.usage("multipart: a list holds parts, {name = …, data = …}")
    end
  end
  for _, value in ipairs(given) do list[#list + 1] = part(value.name, value) end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = given[name]
    if type(value) == "table" and value[1] then
      for _, v in ipairs(value) do list[#list + 1] = part(name, v) end
    else
      list[#list + 1] = part(name, value)
    end
  end
  return list
end

-- ---- bodies that are fed ------------------------------------------------------------------------

local function reader(file)
  return function() return file:read(PIECE) end
end

local function feed_of(given)
  local source = given.body
  if given.file then
    local path = given.file
    local file, why = io.open(path, "rb")
    if not file then core.raise("fs", "ENOENT", ("the body cannot be read: %s"):format(why)) end
    local size = file:seek("end")
    file:close()
    return function() return reader(assert(io.open(path, "rb"))) end, size, true
  end
  if type(source) == "userdata" then
    if not io.type(source) then core.usage("option 'body' is a userdata that is no file") end
    return function() return reader(source) end, given.body_size or -1, false
  end
  return function() return source end, given.body_size or -1, false
end

-- ---- the plan -----------------------------------------------------------------------------------

local function body_kind(given)
  local kind
  for _, name in ipairs(BODIES) do
    if given[name] ~= nil then
      if kind then core.usage(("options '%s' and '%s' are two bodies; a request has one"):format(kind, name)) end
      kind = name
    end
  end
  return kind
end

local function set_body(p, given)
  local kind = body_kind(given)
  if kind == "json" then
    p.body = require "itlua.json".encode(given.json)
    return "application/json"
  elseif kind == "form" then
    p.body = url.form(given.form)
    return "application/x-www-form-urlencoded"
  elseif kind == "multipart" then
    p.parts = parts(given.multipart)
  elseif kind == "body" and type(given.body) == "string" then
    p.body = given.body
  elseif kind then
    p.feed, p.upload, p.again = feed_of(given)
  end
end

-- Options that are no settings and bring no headers but their type: most requests have no others.
local LIGHT = { json = true, form = true, body = true, query = true, retry = true }

local function is_light(given)
  for name in pairs(given) do
    if not LIGHT[name] then return false end
  end
  return true
end

-- The client's header lines with a type, made once for each.
local function typed_lines(client, content_type)
  local lines = client._typed[content_type]
  if not lines then
    local entry = { lower = "content-type", name = "Content-Type", value = content_type }
    lines = headers.lines(headers.merge(client._entries, { entry }))
    client._typed[content_type] = lines
  end
  return lines
end

--- The plan of a request; nil when it has nothing of its own.
---@param client table   an itlua.http.Client
---@param method string
---@param given table    the options, already checked
---@return table? plan
function plan.make(client, method, given)
  local p, entries
  if is_light(given) then p, entries = {}, {} else p, entries = options.settings(given) end
  local content_type = set_body(p, given)
  if method == "HEAD" and (p.body or p.parts or p.feed) then core.usage("a HEAD request has no body") end
  if content_type and #entries == 0 then
    p.headers = typed_lines(client, content_type)
  elseif #entries > 0 then
    if content_type and not headers.has(entries, "content-type") then
      entries[#entries + 1] = { lower = "content-type", name = "Content-Type", value = content_type }
    end
    p.headers = headers.lines(headers.merge(client._entries, entries))
  end
  if given.stream then
    p.timeout = 0 -- each wait has one instead
    p.max_size = p.max_size or math.huge
  end
  return next(p) and p or nil
end

return plan
