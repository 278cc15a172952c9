--- Captures: records in an order, over all or for each key by itself.

local core = require "itlua.core"
local matching = require "itlua.capture.matching"
local show = require "itlua.show"

local order = {}

---@class itlua.capture.Order
---@field list any[]
---@field groups table<any, { due: integer, found: table[], key: any }>
---@field broken? { group: table, record: table, early: integer }
local Order = {}
Order.__index = Order

local fields = { key = true, partition = true, topic = true, channel = true }

--- The function that tells groups apart, nil where there is but one.
---@param list any
---@param by any
---@param groups any
---@return (fun(record: table): any)?
function order.check(list, by, groups)
  if type(list) ~= "table" or #list == 0 then
    core.usage("expect_order needs a list of matches, not " .. show.value(list))
  end
  if groups ~= nil and (type(groups) ~= "table" or by == nil) then
    core.usage("expect_order: groups is a list of what `by` tells apart, not " .. show.value(groups))
  end
  if by == nil or type(by) == "function" then return by end
  if not fields[by] then
    core.usage('expect_order: by is "key", "partition", "topic", "channel" or a function, not ' .. show.value(by))
  end
  return function(record) return record[by] end
end

local function group_of(self, key)
  local group = self.groups[key]
  if not group then
    group = { key = key, due = 1, found = {} }
    self.groups[key] = group
  end
  return group
end

--- With `groups` those must come; others may.
---@return itlua.capture.Order
function order.new(list, by, groups)
  local self = setmetatable({ list = list, by = by, groups = {} }, Order)
  for _, key in ipairs(groups or {}) do group_of(self, key) end
  return self
end

local function key_of(self, record)
  if not self.by then return true end
  local key = self.by(record)
  return key == nil and "(none)" or key
end

--- Takes a record. True: it came before one that should have come first.
function Order:see(record)
  local list, fits = self.list, matching.fits
  local known
  for i = 1, #list do
    known = known or fits(list[i], record)
  end
  if not known then return false end
  local group = group_of(self, key_of(self, record))
  if group.due > #list then return false end
  if fits(list[group.due], record) then
    group.found[group.due], group.due = record, group.due + 1
    return false
  end
  for i = group.due + 1, #list do
    if fits(list[i], record) then
      self.broken = { group = group, record = record, early = i }
      return true
    end
  end
  return false
end

--- Whether all have come, in every group that has begun.
function Order:complete()
  if next(self.groups) == nil then return false end
  for _, group in pairs(self.groups) do
    if group.due <= #self.list then return false end
  end
  return true
end

--- The records found: a list, or lists by group.
function Order:result()
  if not self.by then return self.groups[true].found end
  local result = {}
  for key, group in pairs(self.groups) do result[key] = group.found end
  return result
end

return order
