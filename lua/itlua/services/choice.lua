--- Which of its kind's providers a service gets: the first that has one, in the kind's order or in the one that it names.

local core = require "itlua.core"

local choice = {}

---@class itlua.services.Choice
---@field provider itlua.services.Provider
---@field offer any
---@field text string          what it is: "PostgreSQL 15.4 in /usr/lib/postgresql/15/bin"
---@field passed string[]      "docker: no engine answers": those tried before

local function in_order(kind, asked)
  if not asked then return kind.providers end
  local order = {}
  for _, name in ipairs(type(asked) == "table" and asked or { asked }) do
    for _, provider in ipairs(kind.providers) do
      if provider.name == name then order[#order + 1] = provider end
    end
  end
  return order
end

--- Looks for one.
---@param kind itlua.services.Kind
---@param spec itlua.services.Spec
---@return itlua.services.Choice?
---@return string[] passed
function choice.of(kind, spec)
  local passed, told = {}, {}
  for _, provider in ipairs(in_order(kind, spec.provider)) do
    local ok, offer, text = pcall(provider.find, spec)
    if ok and offer then return { provider = provider, offer = offer, text = text, passed = passed }, passed end
    local said = ok and text or core.is_error(offer) and offer.message or tostring(offer)
    local why = ("%s: %s"):format(provider.name, said)
    if not told[why] then passed[#passed + 1] = why end
    told[why] = true
    -- A server that somebody named is not to be replaced by another behind their back.
    if not ok and core.is_error(offer) and offer.code == "UNREACHABLE" then return nil, passed end
  end
  return nil, passed
end

--- Whether a version is what was asked for: "15" is any 15.
---@param asked? string
---@param version string
---@return boolean
function choice.version_fits(asked, version)
  if not asked then return true end
  return version == asked or version:sub(1, #asked + 1) == asked .. "."
end

return choice
