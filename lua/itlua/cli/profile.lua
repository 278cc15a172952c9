--- Profiles: how strict a run is, by name. `--profile NAME` takes one; itlua.lua may have its own in `profiles`.
--
-- Some are built in. A profile of itlua.lua with a built-in one's name adds to it; `like = "NAME"` begins with another
-- one. A profile holds options of the command line and these words:
--
--   like        the profile to begin with
--   read_only   nothing is to be changed: what would change something over HTTP, SQL, Redis or Kafka is refused, in specs and
--               in `itlua repl` (there --write allows it)
--   network     "declared": hosts that are neither named in `hosts` or `connections`, nor a service's, a container's or a
--               process's of the run, are refused; "any" is the default
--   hosts       names of hosts that may be talked to then: "api.example", "*.example", "10.0.0.7:8080"; those of the file
--               and of the profile count together
--   guard       whether the engine ends containers by itself, see itlua.container.guard
--   services    services that differ here, by name; false takes one away
--   connections URLs by name, for `itlua repl`: { api = "https://…", db = "postgresql://…", cache = "redis://…" }
--   secrets     names of further environment variables that hold secrets

local nearest = require "itlua.cli.nearest"

local profile = {}

--- Words of a profile that are no options of the command line.
profile.words = { "guard", "hosts", "like", "network", "read_only", "services", "connections", "secrets" }

---@class itlua.cli.profile
---@field name string
---@field says string        for the help
---@field like? string
---@field settings table

---@type itlua.cli.profile[]
profile.built_in = {
  {
    name = "greenfield", says = "forgiving: pending tests and a run without tests are fine, hints what to do next",
    settings = { ["no-tests-ok"] = true, hints = true },
  },
  {
    name = "polish", says = "no loose ends: flaky tests and what tests leave open are failures",
    settings = { retries = 1, ["fail-on-flaky"] = true, ["fail-on-left"] = true },
  },
  {
    name = "enterprise", like = "polish",
    says = "polish, and rows and keys left behind and pending tests are failures, in random order; hosts that itlua.lua " ..
      "does not declare are refused; with reports of every kind for CI servers in .itlua/reports",
    settings = {
      network = "declared",
      audit = true, ["fail-on-pending"] = true, ["shuffle-files"] = true, ["shuffle-tests"] = true,
      output = {
        "terminal", "junit:.itlua/reports/junit.xml", "jsonl:.itlua/reports/events.jsonl",
        "html:.itlua/reports/report.html", "markdown:.itlua/reports/summary.md", "ctrf:.itlua/reports/ctrf.json",
        "gitlab:.itlua/reports/code-quality.json",
      },
    },
  },
  {
    name = "production",
    says = "look, do not touch: what would change something over HTTP, SQL, Redis or Kafka is refused, in specs and in " ..
      "itlua repl (there --write allows it)",
    settings = { read_only = true },
  },
}

local function built_in(name)
  for _, one in ipairs(profile.built_in) do
    if one.name == name then return one end
  end
end

--- The names of all profiles: itlua.lua's in order of the alphabet, then the built-in ones.
---@param own? table     `profiles` of itlua.lua
---@return string[]
function profile.names(own)
  local names = {}
  for name in pairs(own or {}) do
    if type(name) == "string" and not built_in(name) then names[#names + 1] = name end
  end
  table.sort(names)
  for _, one in ipairs(profile.built_in) do names[#names + 1] = one.name end
  return names
end

---@class itlua.cli.profile.layer
---@field settings table     options and words
---@field own boolean        from itlua.lua

--- What a profile consists of, the later layer wins.
---@param name string
---@param own? table         `profiles` of itlua.lua
---@return itlua.cli.profile.layer[]? layers
---@return string? wrong
function profile.layers(name, own)
  own = own or {}
  local layers, seen = {}, {}
  local function add(one, from)
    local mine, given = own[one], built_in(one)
    if not mine and not given then
      local names = profile.names(own)
      return ("no profile '%s'%s; there is %s"):format(one, nearest.hint(one, names), table.concat(names, ", ")), from
    end
    if seen[one] then return ("the profile '%s' is like itself"):format(one), from end
    seen[one] = true
    local like = mine and mine.like or nil
    if like ~= nil and type(like) ~= "string" then return "like must be the name of a profile", one end
    if given then
      if given.like then add(given.like) end
      layers[#layers + 1] = { settings = given.settings, own = false }
    end
    if like then
      local wrong, where = add(like, one)
      if wrong then return wrong, where end
    end
    if mine then layers[#layers + 1] = { settings = mine, own = true } end
  end
  local wrong, where = add(name)
  if wrong then return nil, where and ("the profile '%s': %s"):format(where, wrong) or wrong end
  return layers
end

--- What a word of the layers comes to: tables are joined, the later wins.
---@param layers itlua.cli.profile.layer[]
---@param word string
---@param base? any
---@return any
function profile.word(layers, word, base)
  local value = base
  for _, layer in ipairs(layers) do
    local mine = layer.settings[word]
    if (word == "services" or word == "connections") and type(mine) == "table" then
      local joined = {}
      for name, service in pairs(type(value) == "table" and value or {}) do joined[name] = service end
      for name, service in pairs(mine) do joined[name] = service or nil end
      value = joined
    elseif (word == "secrets" or word == "hosts") and type(mine) == "table" and type(value) == "table" then
      value = table.move(mine, 1, #mine, #value + 1, { table.unpack(value) })
    elseif mine ~= nil then
      value = mine
    end
  end
  return value
end

--- The built-in profiles, for the help.
---@return string
function profile.describe()
  local lines = { "Profiles (--profile NAME; itlua.lua may have its own):" }
  for _, one in ipairs(profile.built_in) do
    local line = ("  %-12s"):format(one.name)
    for word in one.says:gmatch("%S+") do
      if #line + 1 + #word > 100 then
        lines[#lines + 1] = line
        line = (" "):rep(14)
      end
      line = line .. " " .. word
    end
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n") .. "\n"
end

return profile
