--- The completion of bash. Without the package bash-completion, too: `=` splits words, and that is undone here.

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local frame = [==[
# bash completion of itlua, written by `itlua completion bash`

_itlua_reply() { # words
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$cur")
}

_itlua_files() { # what compgen is to look for: -f or -d
  local name
  COMPREPLY=()
  while IFS= read -r name; do
    [ -d "$name" ] && name=$name/
    COMPREPLY+=("$name")
  done < <(compgen "$1" -- "$cur")
  compopt -o nospace 2>/dev/null
  [ ${#COMPREPLY[@]} = 1 ] && [ ! -d "${COMPREPLY[0]}" ] && compopt +o nospace 2>/dev/null
}

_itlua_value() { # command, option: completes the option's value, or fails where it takes none
  case $1:$2 in
%s  *) return 1 ;;
  esac
}

_itlua() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=run i word
  if [ "$cur" = = ]; then cur=
  elif [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
  case ${COMP_WORDS[1]} in
  %s) [ "$COMP_CWORD" -gt 1 ] && command=${COMP_WORDS[1]} ;;
  esac
  case $prev in -*) _itlua_value "$command" "$prev" && return ;; esac
  case $cur in
  -*)
    case $command in
%s    esac
    return ;;
  esac
  if [ "$COMP_CWORD" = 2 ]; then
    case $command in
%s    esac
  fi
  _itlua_files -f
  if [ "$COMP_CWORD" = 1 ]; then
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W %s -- "$cur")
  fi
}

complete -F _itlua itlua
]==]

local function value_code(value)
  if value.words then return "_itlua_reply " .. quote(table.concat(value.words, " ")) end
  if value.kind == "files" then return "_itlua_files -f" end
  if value.kind == "folders" then return "_itlua_files -d" end
  if value.kind == "commits" then
    return [[_itlua_reply "$(git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null)"]]
  end
  if value.kind then return ('_itlua_reply "$(itlua completion values %s 2>/dev/null)"'):format(value.kind) end
  return "COMPREPLY=()"
end

---@param commands table
---@param completion table
---@return string
return function(commands, completion)
  local values, options, words = {}, {}, {}
  for _, command in ipairs(commands.list) do
    local all = {}
    for _, option in ipairs(commands.options(command)) do
      local names = completion.words(option)
      table.move(names, 1, #names, #all + 1, all)
      if option.arg and option.kind ~= "optional" or option.kind == "optional" then
        for i, name in ipairs(names) do names[i] = command.name .. ":" .. name end
        if option.arg then
          values[#values + 1] = ("  %s) %s ;;\n"):format(table.concat(names, " | "), value_code(completion.value(option)))
        end
      end
    end
    if #all == 0 then all = { "--help" } end
    options[#options + 1] = ("    %s) _itlua_reply %s ;;\n"):format(command.name, quote(table.concat(all, " ")))
    local first = commands.words(command)
    if first[1] then
      words[#words + 1] = ("    %s) _itlua_reply %s; return ;;\n"):format(command.name, quote(table.concat(first, " ")))
    end
  end
  local names = commands.names()
  local parts = {
    table.concat(values), table.concat(names, " | "), table.concat(options), table.concat(words),
    quote(table.concat(names, " ")),
  }
  local i = 0
  return (frame:gsub("%%s", function()
    i = i + 1
    return parts[i]
  end))
end
