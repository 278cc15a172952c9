--- The completion of zsh, for its function _arguments.

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Inside a specification of _arguments.
local function clean(text) return (text:gsub("[%[%]:\\]", "\\%0")) end

local frame = [==[
#compdef itlua
# zsh completion of itlua, written by `itlua completion zsh`

_itlua_values() {
  local -a found
  found=(${(f)"$(itlua completion values $1 2>/dev/null)"})
  (( $#found )) && compadd -a found
}

_itlua_commits() {
  local -a found
  found=(${(f)"$(git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null)"})
  (( $#found )) && compadd -a found
}

_itlua() {
  local curcontext="$curcontext" command=run
  local -a names
  names=(
%s  )
  if (( CURRENT > 2 )) && (( ${names[(I)${words[2]}:*]} )); then
    command=${words[2]}
    shift words
    (( CURRENT-- ))
  elif (( CURRENT == 2 )) && [[ ${words[2]} != -* ]]; then
    _describe -t commands command names
  fi
  case $command in
%s  esac
}

if [ "$funcstack[1]" = _itlua ]; then _itlua "$@"; else compdef _itlua itlua; fi
]==]

local function action(value)
  if value.words then return "(" .. table.concat(value.words, " ") .. ")" end
  if value.kind == "files" then return "_files" end
  if value.kind == "folders" then return "_files -/" end
  if value.kind == "commits" then return "_itlua_commits" end
  if value.kind then return " _itlua_values " .. value.kind end -- the blank: nothing is put between
  return " "
end

local repeatable = { list = true, commas = true, path = true }

local function specifications(option, completion)
  local list = {}
  for _, word in ipairs(completion.words(option)) do
    local star = repeatable[option.kind] and "*" or ""
    local tail = ""
    if option.arg then
      local long = word:sub(1, 2) == "--"
      word = word .. (option.kind == "optional" and "=-" or long and "=" or "+")
      tail = (":%s%s:%s"):format(option.kind == "optional" and ":" or "", clean(option.arg), action(completion.value(option)))
    end
    list[#list + 1] = quote(("%s%s[%s]%s"):format(star, word, clean(option.help), tail))
  end
  return list
end

---@param commands table
---@param completion table
---@return string
return function(commands, completion)
  local names, cases = {}, {}
  for _, command in ipairs(commands.list) do
    names[#names + 1] = ("    %s\n"):format(quote(command.name .. ":" .. clean(command.says)))
    local words = { "    _arguments -s" }
    for _, option in ipairs(commands.options(command)) do
      for _, one in ipairs(specifications(option, completion)) do words[#words + 1] = "      " .. one end
    end
    local first = commands.words(command)
    if first[1] then words[#words + 1] = "      " .. quote("1:what:(" .. table.concat(first, " ") .. ")") end
    if command.takes then words[#words + 1] = "      " .. quote("*:file:_files") end
    if #words == 1 then words[2] = "      '--help[print what it takes]'" end
    cases[#cases + 1] = ("  %s)\n%s ;;\n"):format(command.name, table.concat(words, " \\\n"))
  end
  local parts, i = { table.concat(names), table.concat(cases) }, 0
  return (frame:gsub("%%s", function()
    i = i + 1
    return parts[i]
  end))
end
