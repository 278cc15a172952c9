--- The word that was probably meant.

local nearest = {}

--- How many letters have to be added, removed, changed or swapped to turn `a` into `b`.
---@param a string
---@param b string
---@return integer
function nearest.distance(a, b)
  local before, above = {}, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local d = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        d = math.min(d, before[j - 2] + 1)
      end
      row[j] = d
    end
    before, above = above, row
  end
  return above[#b]
end

--- The candidate that is nearest to `word`, if one is near enough to be a slip.
---@param word string
---@param candidates string[]
---@return string?
function nearest.of(word, candidates)
  if #word:gsub("%p", "") < 2 then return nil end
  local best, least = nil, math.max(1, #word // 3) + 1
  for _, candidate in ipairs(candidates) do
    local d = nearest.distance(word:lower(), candidate:lower())
    if candidate:sub(1, #word) == word and #word >= 3 then d = math.min(d, 1) end
    if d < least then best, least = candidate, d end
  end
  return best
end

--- " (did you mean 'x'?)" or "".
---@param word string
---@param candidates string[]
---@param quote? string    what to show of a candidate, "%s" by default
---@return string
function nearest.hint(word, candidates, quote)
  local found = nearest.of(word, candidates)
  return found and (" (did you mean " .. (quote or "%s"):format(found) .. "?)") or ""
end

return nearest
