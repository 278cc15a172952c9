--- Colours for reports, as ANSI escapes, and the decision whether to use them.

local paint = {}

local codes = {
  reset = 0, bright = 1, dim = 2, underscore = 4, reverse = 7,
  red = 31, green = 32, yellow = 33, blue = 34, magenta = 35, cyan = 36, white = 37,
}

local function coloured(colour, text)
  return "\27[" .. codes[colour] .. "m" .. text .. "\27[0m"
end

local function plain(_, text) return tostring(text) end

--- A function (colour, text) -> text.
---@param on boolean
---@return fun(colour: string, text: any): string
function paint.new(on)
  return on and coloured or plain
end

--- Whether a report is coloured: what was asked for, else NO_COLOR and CLICOLOR_FORCE, else whether it is a terminal.
---@param opts {color?: boolean, plain?: boolean, args?: string[], tty?: boolean, env?: fun(name: string): string?}
---@return boolean
function paint.wanted(opts)
  for _, arg in ipairs(opts.args or {}) do
    if arg == "--plain" then return false end
    if arg == "--color" then return true end
  end
  if opts.plain then return false end
  if opts.color ~= nil then return opts.color end
  local env = opts.env or os.getenv
  if (env "NO_COLOR" or "") ~= "" then return false end
  if (env "CLICOLOR_FORCE" or "0") ~= "0" then return true end
  return opts.tty == true and env "TERM" ~= "dumb"
end

--- luassert marks the path to a difference with "*" before the key; busted's coloured handlers paint that mark red.
---@param message string
---@param on boolean
---@return string
function paint.highlight(message, on)
  if not on then return message end
  return (message:gsub("(\n *)%*(%[)", "%1\27[31m*\27[0m%2"))
end

return paint
