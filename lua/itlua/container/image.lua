--- Images: there, pulled, built.

local closing = require "itlua.closing"
local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local ignore = require "itlua.container.ignore"
local owner = require "itlua.container.owner"
local plan = require "itlua.container.plan"
local registry = require "itlua.container.registry"
local streams = require "itlua.container.streams"
local tar = require "itlua.container.tar"

local image = {}

--- What the engine knows of an image, or nil.
---@param engine itlua.container.Engine
---@param name string
---@return table?
function image.inspect(engine, name)
  return engine:find("/images/" .. name .. "/json", "image " .. name)
end

-- ---- pulling

---@class itlua.container.PullOptions
---@field image string
---@field platform? string       "linux/arm64"
---@field auth? { username: string, password: string }   instead of what the Docker configuration has
---@field progress? fun(step: { id: string?, status: string, current: integer?, total: integer? })
---@field timeout? number        seconds without any progress, 120

local PULL = { image = "string", platform = "string", auth = "table", progress = "function", timeout = "number" }

local ADVICE = {
  { "connection refused", "is the registry reachable from the engine?" },
  { "no such host", "is the registry's name right, and is there a network?" },
  { "i/o timeout", "the registry does not answer: is there a network?" },
  { "no basic auth credentials", "docker login, or option 'auth'" },
  { "unauthorized", "docker login, or option 'auth'" },
  { "denied", "docker login, or option 'auth'; is the name right?" },
  { "manifest unknown", "the registry has no such tag" },
  { "not found", "the registry has no such image or tag" },
  { "toomanyrequests", "the registry's limit is reached: docker login raises it" },
}

local function unpullable(name, why)
  local hint = ""
  for _, entry in ipairs(ADVICE) do
    if why:lower():find(entry[1], 1, true) then
      hint = " (" .. entry[2] .. ")"
      break
    end
  end
  core.raise("container", "IMAGE", ("the image %s is not here, and cannot be pulled: %s%s"):format(name, why, hint),
    { image = name, reason = why })
end

local function follow_pull(r, name, progress)
  for step in streams.documents(r:lines()) do
    if step.error then unpullable(name, tostring(step.error)) end
    if progress then
      local detail = type(step.progressDetail) == "table" and step.progressDetail or {}
      progress { id = step.id, status = step.status, current = detail.current, total = detail.total }
    end
  end
end

local function request_pull(engine, options)
  local parts = registry.parse(options.image)
  local name = (parts.registry and parts.registry .. "/" or "") .. parts.repository
  local headers = registry.header(options.auth or registry.credentials(options.image, engine.environment))
  return engine:call("POST", "/images/create", "pull", {
    query = { fromImage = name, tag = parts.digest or parts.tag or "latest", platform = options.platform },
    headers = headers, stream = true, timeout = options.timeout,
  })
end

--- Pulls an image. Raises kind "container", code IMAGE with the registry's reason.
---@param engine itlua.container.Engine
---@param options itlua.container.PullOptions|string
function image.pull(engine, options)
  if type(options) == "string" then options = { image = options } end
  plan.check(options, PULL, "container.pull")
  if not options.image then core.usage "container.pull needs an image" end
  local span = core.span("container", "pull " .. options.image)
  local ok, err = pcall(function()
    local asked, r = pcall(request_pull, engine, options)
    if not asked then
      if core.is_error(r) == "container" and r.status then unpullable(options.image, r.reason) end
      error(r, 0)
    end
    local stream <close> = r -- luacheck: ignore
    follow_pull(r, options.image, options.progress)
  end)
  core.span_end(span, not ok and "failed" or nil)
  if not ok then error(err, 0) end
end

local function is_for(found, platform)
  if not platform then return true end
  local os_name, architecture, variant = platform:match "^([^/]+)/([^/]+)/?(.*)$"
  if not os_name then core.usage(("option 'platform': '%s' is no platform (\"linux/arm64\")"):format(platform)) end
  return found.Os == os_name and found.Architecture == architecture and
    (variant == "" or not found.Variant or found.Variant == "" or found.Variant == variant)
end

--- What the engine knows of an image, which is pulled where it is missing, or as option `pull` says.
---@param engine itlua.container.Engine
---@param options itlua.container.RunOptions
---@return table
function image.ensure(engine, options)
  local name, policy = options.image, options.pull or "missing"
  local found = policy ~= "always" and image.inspect(engine, name) or nil
  if found and is_for(found, options.platform) then return found end
  if policy == "never" then
    if found then
      core.raise("container", "IMAGE", ("the image %s that is here is for %s/%s, not %s, and option 'pull' is \"never\"")
        :format(name, found.Os, found.Architecture, options.platform), { image = name })
    end
    core.raise("container", "IMAGE", ("the image %s is not here, and option 'pull' is \"never\""):format(name),
      { image = name })
  end
  image.pull(engine, { image = name, platform = options.platform, auth = options.auth })
  return image.inspect(engine, name) or unpullable(name, "the engine does not have it after the pull")
end

-- ---- building

---@class itlua.container.BuildOptions
---@field context? string          the folder; its .dockerignore counts
---@field files? table<string, string>   more files of the context, or all of it: by name
---@field dockerfile? string       its name in the context, "Dockerfile"; or its text, when it has more than one line
---@field args? table<string, string>
---@field target? string           a stage
---@field tag? string              a name to keep it under; without one the image goes with the test
---@field keep? boolean            do not remove it
---@field labels? table<string, string>
---@field cache? boolean           use layers of earlier builds, true
---@field pull? boolean            look for newer base images
---@field platform? string
---@field progress? fun(line: string)   what the build prints

local BUILD = {
  context = "string", files = "table", dockerfile = "string", args = "table", target = "string", tag = "string",
  keep = "boolean", labels = "table", cache = "boolean", pull = "boolean", platform = "string", progress = "function",
}

local Image = {}
Image.__index = Image
Image.__name = "itlua.container.image"

function Image:__tostring()
  return "image " .. self.name
end

--- Removes it, also when stopped containers use it. That it is gone already is fine.
function Image:remove()
  if self.removed then return end
  self.removed = true
  local scope = core.enter(20, true)
  local ok, err = pcall(self.engine.call, self.engine, "DELETE", "/images/" .. self.name, "remove image " .. self.name,
    { query = { force = "true" }, may = { [404] = true, [409] = true } })
  core.leave(scope)
  if self.lease then closing.done(self.lease) end
  if not ok then error(err, 0) end
end

Image.close, Image.__close = Image.remove, Image.remove

local function context_entries(options, dockerfile)
  local list = {}
  if options.context then
    if fs.exists(options.context) ~= "folder" then
      core.raise("container", "BUILD", ("container.build: there is no folder %s"):format(options.context))
    end
    local rules = fs.join(options.context, ".dockerignore")
    local own = fs.join(options.context, dockerfile .. ".dockerignore")
    if fs.exists(own) then rules = own end
    local ignored = fs.exists(rules) and ignore.parse(fs.read(rules)) or nil
    list = tar.entries_of(options.context, "", ignored and function(path)
      return path == dockerfile or path == ".dockerignore" or not ignored(path)
    end)
    for _, entry in ipairs(list) do entry.uid, entry.gid = 0, 0 end
  end
  local names = {}
  for name in pairs(options.files or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = { name = name, content = options.files[name] } end
  return list
end

local function follow_build(r, options)
  local said, id = {}, nil
  for step in streams.documents(r:lines()) do
    if step.stream then
      said[#said + 1] = step.stream
      local line = step.stream:gsub("%s+$", "")
      if options.progress and line ~= "" then options.progress(line) end
    end
    if type(step.aux) == "table" and step.aux.ID then id = step.aux.ID end
    if step.error then
      local text = table.concat(said):gsub("%s+$", "")
      core.raise("container", "BUILD", ("container.build: %s\n%s"):format(step.error, #text > 3000 and
        "…" .. text:sub(-3000) or text), { output = text, reason = step.error })
    end
  end
  return id, table.concat(said)
end

--- Builds an image by the engine's own builder.
---@param engine itlua.container.Engine
---@param options itlua.container.BuildOptions
---@return table image     name, id, remove()
function image.build(engine, options)
  plan.check(options, BUILD, "container.build")
  local dockerfile = options.dockerfile or "Dockerfile"
  local files = {}
  for name, content in pairs(options.files or {}) do files[name] = content end
  if dockerfile:find "\n" then
    files[".itlua.Dockerfile"], dockerfile = dockerfile, ".itlua.Dockerfile"
  end
  if not options.context and not next(files) then core.usage "container.build needs a context, or files" end
  local entries = context_entries({ context = options.context, files = files }, dockerfile)
  -- Whose it is stands in its name: each label would be a step more.
  local name = options.tag or ("%s:%s.%s"):format(owner.IMAGES, owner.tag(), encode.hex(encode.random(5)))
  local keep = options.keep or options.tag ~= nil
  local span = core.span("container", "build " .. name)
  local self = setmetatable({ engine = engine, name = name }, Image)
  if not keep then
    owner.protect(engine)
    self.lease = closing.add("image " .. name, 2, function() self:remove() end, true)
  end
  local ok, id, output = pcall(function()
    local r <close> = engine:call("POST", "/build", "container.build", {
      query = {
        t = name, dockerfile = dockerfile, buildargs = options.args, target = options.target, labels = options.labels,
        nocache = options.cache == false, pull = options.pull, platform = options.platform, rm = true, forcerm = true,
      },
      body = tar.pieces(entries), headers = { ["Content-Type"] = "application/x-tar" }, stream = true, timeout = false,
    })
    return follow_build(r, options)
  end)
  core.span_end(span, not ok and "failed" or nil)
  if not ok then
    if self.lease then closing.done(self.lease) end
    error(id, 0)
  end
  local found = image.inspect(engine, name)
  self.id, self.output = id or found and found.Id, output
  return self
end

return image
