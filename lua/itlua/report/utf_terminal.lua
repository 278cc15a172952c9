--- busted's `utfTerminal`: plainTerminal with round signs and colours.

local paint = require "itlua.report.paint"
local plain_terminal = require "itlua.report.plain_terminal"

local utf_terminal = { interleaved = true }

---@param opts table           see report.new; opts.color: use colours
---@param out fun(text: string)
function utf_terminal.new(opts, out)
  local p = paint.new(opts.color)
  return plain_terminal.new(opts, out, {
    success = p("green", "●"), failure = p("red", "◼"), error = p("magenta", "✱"), pending = p("yellow", "◌"),
    arrow = " → ", paint = p, color = opts.color,
  })
end

return utf_terminal
