--- Which declarations count: busted's filters by tag and name.

local filter = {}

--- Names joined as busted's filters see them: a nameless test has none of its own.
local function full_name(tree, name)
  local names = { name }
  local parent = tree.current
  while parent and parent.descriptor ~= "file" do
    table.insert(names, 1, parent.name or parent.descriptor)
    parent = tree.parents[parent]
  end
  return table.concat(names, " ")
end

local function any(list, fits)
  for _, item in ipairs(list) do
    if fits(item) then return true end
  end
  return false
end

local function lines_of(path)
  local lines = {}
  if path then
    for line in io.lines(path) do lines[line] = true end
  end
  return lines
end

local TEST = { it = true, pending = true }
local NAMED = { it = true, pending = true, describe = true }

local function list(value)
  if type(value) == "table" then return value end
  return { value }
end

--- Tags come as a list or as words between commas.
local function tags(value)
  local all = {}
  for _, item in ipairs(list(value)) do
    for tag in item:gmatch("[^,]+") do all[#all + 1] = tag end
  end
  return all
end

local function usable(name)
  return name == nil or type(name) == "string" or type(name) == "number"
end

--- A test's names must be strings, with or without a filter: busted's filters stumble over others.
local function check_names(tree, name)
  local parent = tree.current
  while parent and usable(name) do
    name = parent.name
    parent = tree.parents[parent]
  end
  if not usable(name) then
    error(("the name of a block or test must be a string, not a %s"):format(type(name)), 0)
  end
end

-- Calls check_names where there may be something to find.
local function name_checker(tree)
  local strange = false
  return function(descriptor, name)
    if type(name) == "string" and not (strange and TEST[descriptor]) then return end
    if TEST[descriptor] then return check_names(tree, name) end
    strange = strange or not usable(name)
  end
end

--- A function that says whether an element with this descriptor and name is to be declared.
---@param options table       tags, exclude-tags, filter, filter-out, name, exclude-names-file
---@param tree itlua.spec.tree
---@return fun(descriptor: string, name: any): boolean
function filter.new(options, tree)
  local wanted, unwanted = tags(options.tags), tags(options["exclude-tags"])
  local patterns, not_patterns, names = list(options.filter), list(options["filter-out"]), list(options.name)
  local excluded = lines_of(options["exclude-names-file"])
  local by_name = patterns[1] or not_patterns[1] or names[1] or wanted[1] or next(excluded)

  local function fits(descriptor, name)
    if name and any(unwanted, function(tag) return name:find("#" .. tag) end) then return false end
    if not by_name then return true end
    local full = full_name(tree, name)
    local function found(pattern) return full:find(pattern) end
    if TEST[descriptor] and wanted[1] and not any(wanted, function(tag) return full:find("#" .. tag) end) then
      return false
    end
    if excluded[full] or any(not_patterns, found) then return false end
    if names[1] and not any(names, function(wish) return wish:find(full, 1, true) end) then return false end
    return not TEST[descriptor] or not patterns[1] or any(patterns, found)
  end

  local check = name_checker(tree)
  if not by_name and not unwanted[1] then
    return function(descriptor, name)
      check(descriptor, name)
      return true
    end
  end
  return function(descriptor, name)
    check(descriptor, name)
    return not NAMED[descriptor] or fits(descriptor, name)
  end
end

return filter
