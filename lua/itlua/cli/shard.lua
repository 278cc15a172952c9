--- --shard I/N: cuts the files of a run into N parts of about the same length and takes the Ith.
--
-- Every machine makes the same cut from the same list of files and the same kept times. So `.itlua/times.json` has to be
-- the same on all of them (one cache or artifact for all shards), or on none: then the parts have the same number of
-- files. A shard does not change it; `itlua report --history` does, which merges what the shards recorded. What a cut was
-- made from is told in its name (`plan`): shards with different ones do not belong together, and merging them says so.

local history = require "itlua.cli.history"

local shard = {}

--- "2/4" -> 2, 4; or nil and what is wrong.
---@param text string
---@return integer? index
---@return integer|string count
function shard.parse(text)
  local index, count = text:match("^(%d+)/(%d+)$")
  index, count = math.tointeger(tonumber(index)), math.tointeger(tonumber(count))
  if not index or not count then return nil, "must be I/N, 1/4 for the first of four parts" end
  if count < 1 or index < 1 or index > count then
    return nil, "must be a part that there is: 1/N to N/N"
  end
  return index, count
end

--- How long each file is expected to take: those without a kept time take what the median one does.
---@param files itlua.cli.file[]
---@param times table<string, { seconds?: number }>
---@return table<string, number> seconds    by path
---@return boolean known                    whether there is any kept time
function shard.estimates(files, times)
  local list, seconds = {}, {}
  for _, file in ipairs(files) do
    local entry = times[history.key(file.path)]
    seconds[file.path] = entry and entry.seconds
    if seconds[file.path] then list[#list + 1] = seconds[file.path] end
  end
  table.sort(list)
  local median = list[(#list + 1) // 2] or 0
  for _, file in ipairs(files) do seconds[file.path] = seconds[file.path] or median end
  return seconds, #list > 0
end

--- Brings the files that take longest to the front; those that take as long as each other stay in order.
---@param files itlua.cli.file[]
---@param seconds table<string, number>
function shard.slowest_first(files, seconds)
  local place = {}
  for i, file in ipairs(files) do place[file] = i end
  table.sort(files, function(a, b)
    local left, right = seconds[a.path], seconds[b.path]
    if left ~= right then return left > right end
    return place[a] < place[b]
  end)
end

-- The name of a cut: a hash (FNV-1a) of what it was made from.
local function name_of(files, seconds, count)
  local hash = 0xcbf29ce484222325
  local function add(text)
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  end
  add(tostring(count))
  for _, file in ipairs(files) do add(("\0%s\0%.4f"):format(history.key(file.path), seconds[file.path])) end
  return ("%016x"):format(hash)
end

---@class itlua.cli.shard
---@field files itlua.cli.file[]    the part's
---@field of integer                how many files there are in all
---@field seconds number            what the part is expected to take
---@field timed boolean             cut by kept times, not by number
---@field plan string               the name of the cut

--- The part of the files that is this shard's, in the order they had.
---@param files itlua.cli.file[]
---@param index integer
---@param count integer
---@param times table<string, { seconds?: number }>
---@return itlua.cli.shard
function shard.cut(files, index, count, times)
  local sorted = { table.unpack(files) }
  table.sort(sorted, function(a, b) return history.key(a.path) < history.key(b.path) end)
  local seconds, timed = shard.estimates(sorted, times)
  local plan = name_of(sorted, seconds, count)
  shard.slowest_first(sorted, seconds)
  local loads, numbers, mine = {}, {}, {}
  for part = 1, count do loads[part], numbers[part] = 0, 0 end
  for _, file in ipairs(sorted) do
    local best = 1
    for part = 2, count do
      if loads[part] < loads[best] or (loads[part] == loads[best] and numbers[part] < numbers[best]) then best = part end
    end
    loads[best], numbers[best] = loads[best] + seconds[file.path], numbers[best] + 1
    mine[file] = best == index
  end
  local part = { files = {}, of = #files, seconds = loads[index], timed = timed, plan = plan }
  for _, file in ipairs(files) do
    if mine[file] then part.files[#part.files + 1] = file end
  end
  return part
end

return shard
