--- The completion of fish.

local function quote(text) return "'" .. text:gsub("[\\']", "\\%0") .. "'" end

local head = [==[
# fish completion of itlua, written by `itlua completion fish`

set -g __itlua_commands %s

# Whether this command is meant: run is, where none is named.
function __itlua_in
    set -l words (commandline -opc)
    set -l named run
    if set -q words[2]; and contains -- $words[2] $__itlua_commands
        set named $words[2]
    end
    contains -- $named $argv
end

function __itlua_at
    test (count (commandline -opc)) = $argv[1]
end

function __itlua_commits
    git for-each-ref --format='%%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null
end

complete -c itlua -e
]==]

local function value_words(value)
  if value.words then return "-x -a " .. quote(table.concat(value.words, " ")) end
  if value.kind == "files" then return "-r -F" end
  if value.kind == "folders" then return "-x -a '(__fish_complete_directories)'" end
  if value.kind == "commits" then return "-x -a '(__itlua_commits)'" end
  if value.kind then return ("-x -a '(itlua completion values %s 2>/dev/null)'"):format(value.kind) end
  return "-x"
end

---@param commands table
---@param completion table
---@return string
return function(commands, completion)
  local out = { head:format(table.concat(commands.names(), " ")) }
  local function add(...) out[#out + 1] = ("complete -c itlua " .. (...)):format(select(2, ...)) .. "\n" end
  for _, command in ipairs(commands.list) do
    add("-n '__itlua_at 1' -a %s -d %s", command.name, quote(command.says))
    local here = quote("__itlua_in " .. command.name)
    for _, option in ipairs(commands.options(command)) do
      local names = #option.long > 1 and "-l " .. option.long or "-s " .. option.long
      if option.short and option.short ~= option.long then names = names .. " -s " .. option.short end
      local value = option.arg and option.kind ~= "optional" and " " .. value_words(completion.value(option)) or ""
      add("-n %s %s%s -d %s", here, names, value, quote(option.help))
      if option.negatable then add("-n %s -l no-%s -d %s", here, option.long, quote("not: " .. option.help)) end
    end
    local first = commands.words(command)
    if first[1] then
      add("-n %s -f -a %s", quote("__itlua_in " .. command.name .. "; and __itlua_at 2"), quote(table.concat(first, " ")))
    end
    if not command.takes then add("-n %s -f", here) end
  end
  return table.concat(out)
end
