--- The order of files and tests: by name, or at random as busted does it under the same seed.

local shuffle = {}

--- Shuffles the list in place: Fisher and Yates from the end, on the program's one random generator.
---@param list any[]
---@param seed? integer    seeds the generator first
---@return any[] list
function shuffle.shuffle(list, seed)
  if seed then math.randomseed(seed) end
  for n = #list, 2, -1 do
    local k = math.random(n)
    list[n], list[k] = list[k], list[n]
  end
  return list
end

local function by_name(a, b)
  if a.name and b.name then return a.name < b.name end
  return b.name ~= nil
end

--- Sorts elements by name in place; those without a name (hooks) go first.
---@param elements { name?: string }[]
function shuffle.sort(elements)
  table.sort(elements, by_name)
  return elements
end

--- A seed from the system: 32 random bits.
---@return integer
function shuffle.seed()
  local random = io.open("/dev/urandom", "rb")
  if not random then return os.time() end
  local seed = string.unpack(">I4", random:read(4))
  random:close()
  return seed
end

return shuffle
