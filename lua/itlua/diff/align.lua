--- Aligns two arrays of different length: which elements belong together, which were put in or taken out.

local align = {}

local max_cells = 250000

-- A text that is equal for equal values; nil for what is too big or odd to have one cheaply.
local function print_of(value, budget)
  local parts, used = {}, 0
  local function add(text)
    used = used + #text
    parts[#parts + 1] = text
    return used <= budget
  end
  local function visit(item, depth)
    local kind = type(item)
    if kind == "table" then
      if depth > 12 then return false end
      local keys = {}
      for key in next, item do
        if type(key) ~= "string" and type(key) ~= "number" then return false end
        keys[#keys + 1] = key
      end
      table.sort(keys, function(a, b)
        if type(a) ~= type(b) then return type(a) == "number" end
        return a < b
      end)
      if not add "{" then return false end
      for _, key in ipairs(keys) do
        if not add(type(key):sub(1, 1) .. tostring(key) .. "=") or not visit(item[key], depth + 1) then return false end
      end
      return add "}"
    elseif kind == "string" then
      return add("s" .. #item .. ":" .. item)
    elseif kind == "number" then
      -- 1 and 1.0 are equal.
      local whole = math.tointeger(item)
      return add("n" .. (whole and tostring(whole) or ("%.17g"):format(item)) .. ";")
    end
    return add(kind:sub(1, 1) .. tostring(item) .. ";")
  end
  if not visit(value, 1) then return nil end
  return table.concat(parts)
end

local function prints(list)
  local all = {}
  for i = 1, #list do
    local text = print_of(list[i], 4096)
    if not text then return nil end
    all[i] = text
  end
  return all
end

-- Longest common subsequence of the middle parts, as pairs of indices in order.
local function common(pa, pb, first, last_a, last_b)
  local n, m = last_a - first + 1, last_b - first + 1
  if n <= 0 or m <= 0 then return {} end
  if n * m > max_cells then return nil end
  local rows = { [n + 1] = {} }
  for j = 1, m + 1 do rows[n + 1][j] = 0 end
  for i = n, 1, -1 do
    local row, below = { [m + 1] = 0 }, rows[i + 1]
    for j = m, 1, -1 do
      if pa[first + i - 1] == pb[first + j - 1] then
        row[j] = below[j + 1] + 1
      else
        row[j] = math.max(below[j], row[j + 1])
      end
    end
    rows[i] = row
  end
  local found, i, j = {}, 1, 1
  while i <= n and j <= m do
    if pa[first + i - 1] == pb[first + j - 1] then
      found[#found + 1] = { first + i - 1, first + j - 1 }
      i, j = i + 1, j + 1
    elseif rows[i + 1][j] >= rows[i][j + 1] then
      i = i + 1
    else
      j = j + 1
    end
  end
  return found
end

--- Steps {a = index in a, b = index in b} that pair the elements; one of both is absent where an element has no
--- partner. nil where the arrays are too big or odd to be aligned.
---@param a any[]
---@param b any[]
---@return table[]?
function align.arrays(a, b)
  local pa, pb = prints(a), prints(b)
  if not pa or not pb then return nil end
  local first, last_a, last_b = 1, #a, #b
  while first <= last_a and first <= last_b and pa[first] == pb[first] do first = first + 1 end
  while last_a >= first and last_b >= first and pa[last_a] == pb[last_b] do last_a, last_b = last_a - 1, last_b - 1 end
  local middle = common(pa, pb, first, last_a, last_b)
  if not middle then return nil end
  middle[#middle + 1] = { last_a + 1, last_b + 1 }
  local steps = {}
  for i = 1, first - 1 do steps[#steps + 1] = { a = i, b = i } end
  local i, j = first, first
  for _, pair in ipairs(middle) do
    -- What lies between two equal elements: changed as far as both have some, the rest put in or taken out.
    while i < pair[1] and j < pair[2] do
      steps[#steps + 1] = { a = i, b = j }
      i, j = i + 1, j + 1
    end
    while i < pair[1] do
      steps[#steps + 1] = { a = i }
      i = i + 1
    end
    while j < pair[2] do
      steps[#steps + 1] = { b = j }
      j = j + 1
    end
    if pair[1] <= last_a then
      steps[#steps + 1] = { a = i, b = j }
      i, j = i + 1, j + 1
    end
  end
  for k = 1, #a - last_a do steps[#steps + 1] = { a = last_a + k, b = last_b + k } end
  return steps
end

return align
