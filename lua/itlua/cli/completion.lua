--- itlua completion bash|zsh|fish: the completion of a shell, made of the tables of commands and options.
--
-- What can only be known in a project (its profiles, its services) the scripts ask for with
-- `itlua completion values KIND`, which prints one a line.

local commands = require "itlua.cli.commands"
local nearest = require "itlua.cli.nearest"

local completion = {}

completion.help = [[
Usage: itlua completion bash|zsh|fish

Prints the completion of commands, options and their values for a shell:
  bash  itlua completion bash >~/.local/share/bash-completion/completions/itlua
  zsh   itlua completion zsh >"${fpath[1]}/_itlua"    (a folder of $fpath)
  fish  itlua completion fish >~/.config/fish/completions/itlua.fish
`make install` puts them where shells look.
]]

-- What an option's value is, by its name: words, or a kind that is asked for.
local values = {
  output = { kind = "reports" }, profile = { kind = "profiles" }, service = { kind = "services" },
  loaders = { words = { "lua", "moonscript", "terra", "fennel" } },
  lang = { words = { "en", "de", "fr", "es", "ja", "nl", "ru", "th", "ua", "zh", "ar" } },
  helper = { kind = "files" }, bisect = { kind = "files" }, ["only-changed"] = { kind = "commits" },
}

local by_arg = { FILE = "files", DIR = "folders", PATH = "folders" }

--- What the value of an option can be.
---@param option itlua.cli.option
---@return { words?: string[], kind?: string }
function completion.value(option)
  return values[option.long] or { kind = by_arg[option.arg or ""] }
end

-- What a kind that only this program knows consists of, here and now.
local asked = {}

function asked.reports() return require("itlua.report").names() end

local function settings()
  return require("itlua.cli.config").load({}, {}) or {}
end

function asked.profiles()
  local loaded = settings()
  return loaded.profiles or require("itlua.cli.profile").names()
end

function asked.services()
  local names = {}
  for name in pairs(settings().services or {}) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

--- The words for an option, as the command line has it.
---@param option itlua.cli.option
---@return string[] words     "--output", "--no-shuffle", "-o"
function completion.words(option)
  local words = { (#option.long > 1 and "--" or "-") .. option.long }
  if option.negatable then words[2] = "--no-" .. option.long end
  if option.short and option.short ~= option.long then words[#words + 1] = "-" .. option.short end
  return words
end

local shells = { bash = true, zsh = true, fish = true }

---@param args string[]
---@return integer exit_code
function completion.run(args)
  local shell = args[1]
  if shell == "values" and asked[args[2] or ""] then
    local ok, list = pcall(asked[args[2]])
    for _, word in ipairs(ok and list or {}) do io.stdout:write(word, "\n") end
    return 0
  end
  local refuse = require("itlua.cli").refuse
  if not shell then return refuse "completion: of which shell? (itlua completion bash|zsh|fish)" end
  if not shells[shell] then
    return refuse(("completion: there is none for '%s'%s; there is bash, zsh, fish"):format(shell,
      nearest.hint(shell, { "bash", "zsh", "fish" })))
  end
  io.stdout:write(require("itlua.cli.completion_" .. shell)(commands, completion))
  return 0
end

return completion
