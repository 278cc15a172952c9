--- Whose a container, network or volume is: labels that say which process of which machine made it, and the sweep of
--- what belongs to processes that are gone.

local core = require "itlua.core"
local identity = require "itlua.identity"
local json = require "itlua.json"
local native = require "itlua.container.core"

local owner = {}

owner.LABEL, owner.RUN, owner.REUSE = "itlua.owner", "itlua.run", "itlua.reuse"
owner.HOME = "itlua.home" -- the container that the process itself ran in
owner.PROJECT = "itlua-" -- what the names of compose projects begin with
owner.PROJECT_LABEL = "com.docker.compose.project"
owner.MARKS = "itlua.project" -- of an empty volume: the compose project that goes with its owner
owner.IMAGES = "itlua/build" -- the repository of images that go with their test

--- The labels of what this process makes.
---@param engine itlua.container.Engine
---@return table<string, string>
function owner.labels(engine)
  local text = identity.current().text
  local run = os.getenv "ITLUA_RUN"
  return { [owner.LABEL] = text, [owner.RUN] = run and run ~= "" and run or text, [owner.HOME] = engine:home() }
end

--- The same as a part of an image's tag.
function owner.tag()
  return (identity.current().text:gsub(":", "_"))
end

-- ---- removing

local MAY = { [404] = true, [409] = true, [403] = true, [500] = true }

-- What the engine lists at a path, for which `chosen` is true: removed, all at the same time; what could not be, as another
-- depended on it, once more behind the others.
local function remove_listed(engine, path, filters, list_of, chosen, target)
  local running, again = {}, {}
  local answer = engine:ask("GET", path, "looking for leftovers", { query = { all = "true", filters = filters } })
  for _, item in ipairs(list_of and list_of(answer) or answer) do
    if chosen(item.Labels) then
      running[#running + 1] = core.spawn(function()
        local r = engine:call("DELETE", target(item), "removing a leftover",
          { query = { force = "true", v = "true" }, may = MAY })
        if r.status == 500 then again[#again + 1] = item end
      end)
    end
  end
  for _, handle in ipairs(running) do core.join(handle) end
  for _, item in ipairs(again) do
    engine:call("DELETE", target(item), "removing a leftover", { query = { force = "true", v = "true" }, may = MAY })
  end
  return #running
end

local function volumes_of(answer)
  return type(answer.Volumes) == "table" and answer.Volumes or {}
end

--- Removes containers, networks and volumes with a label. Others may do the same at this moment: what is not there any
--- more is fine.
---@param engine itlua.container.Engine
---@param label string        "itlua.owner", "itlua.owner=…"
---@param chosen? fun(labels: table): boolean
---@return integer removed
function owner.remove(engine, label, chosen)
  local filters = { label = { label } }
  chosen = chosen or function() return true end
  return remove_listed(engine, "/containers/json", filters, nil, chosen, function(i) return "/containers/" .. i.Id end)
    + remove_listed(engine, "/networks", filters, nil, chosen, function(i) return "/networks/" .. i.Id end)
    + remove_listed(engine, "/volumes", filters, volumes_of, chosen, function(i) return "/volumes/" .. i.Name end)
end

--- Removes images that go with a test, by the owner in their tag.
---@param engine itlua.container.Engine
---@param chosen fun(text: string): boolean
function owner.remove_images(engine, chosen)
  for _, item in ipairs(engine:ask("GET", "/images/json", "looking for leftovers",
    { query = { filters = { reference = { owner.IMAGES } } } })) do
    for _, name in ipairs(type(item.RepoTags) == "table" and item.RepoTags or {}) do
      local tag = name:match "itlua/build:(.*)%.%x+$" -- Podman has a registry in front
      if tag and chosen((tag:gsub("_", ":"))) then
        engine:call("DELETE", "/images/" .. name, "removing a leftover", { may = MAY })
      end
    end
  end
end

-- ---- compose projects: what they consist of has the tool's labels, and an empty volume has ours

local function mark_of(project) return project .. "-of-itlua" end

--- From now on a project belongs to this process.
---@param engine itlua.container.Engine
---@param project string
function owner.mark_project(engine, project)
  owner.protect(engine)
  local labels = owner.labels(engine)
  labels[owner.MARKS] = project
  engine:call("POST", "/volumes/create", "compose project " .. project,
    { json = { Name = mark_of(project), Labels = labels } })
end

--- It was taken down.
function owner.unmark_project(engine, project)
  engine:call("DELETE", "/volumes/" .. mark_of(project), "compose project " .. project, { may = MAY })
end

--- Removes all that a compose tool has made for a project.
---@param engine itlua.container.Engine
---@param project string
function owner.remove_project(engine, project)
  owner.remove(engine, ("%s=%s"):format(owner.PROJECT_LABEL, project))
end

-- Those whose owner is gone.
local function sweep_projects(engine, gone)
  local answer = engine:ask("GET", "/volumes", "looking for leftovers", { query = { filters = { label = { owner.MARKS } } } })
  for _, volume in ipairs(volumes_of(answer)) do
    if gone(volume.Labels) then owner.remove_project(engine, volume.Labels[owner.MARKS]) end
  end
end

--- Removes a project that a process which is gone has left behind.
function owner.sweep_project(engine, project)
  local volume = engine:find("/volumes/" .. mark_of(project), "looking for leftovers")
  if not volume or not volume.Labels or not identity.gone(volume.Labels[owner.LABEL]) then return end
  owner.remove_project(engine, project)
  owner.unmark_project(engine, project)
end

-- ---- what is left

--- Removes what processes that are gone left behind.
---@param engine itlua.container.Engine
function owner.sweep(engine)
  local ended = {} -- by container that processes ran in: a CI job's goes as a whole, and its processes with it
  local function home_ended(home)
    if home == nil or home == "" or home == engine:home() then return false end
    if ended[home] == nil then
      local info = engine:find("/containers/" .. home .. "/json", "looking for leftovers")
      ended[home] = not info or not info.State.Running
    end
    return ended[home]
  end
  local function gone(labels)
    if type(labels) ~= "table" then return false end
    return identity.gone(labels[owner.LABEL]) or home_ended(labels[owner.HOME])
  end
  sweep_projects(engine, gone)
  owner.remove(engine, owner.LABEL, gone)
  owner.remove_images(engine, identity.gone)
end

-- ---- the reaper

local told = {}

--- From now on the reaper removes what carries a label when this process ends, however it ends: `itlua.owner` with this
--- process unless told otherwise.
---@param engine itlua.container.Engine
---@param label? string
function owner.protect(engine, label)
  label = label or ("%s=%s"):format(owner.LABEL, identity.current().text)
  local line = json.encode({
    label = label, owner = identity.current().text, host = engine.address, certificates = engine.environment.DOCKER_CERT_PATH,
    verify = engine.environment.DOCKER_TLS_VERIFY,
  }, { order = "sorted" })
  if told[line] then return end
  told[line] = true
  native.reaper(line)
end

return owner
