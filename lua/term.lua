--- What luassert asks of lua-term: colours, for those who set its parameter TableErrorHighlightColor. Only our own
-- require finds this; a spec's `require "term"` gets what is installed.

local codes = {
  reset = 0, clear = 0, default = 0, bright = 1, dim = 2, underscore = 4, blink = 5, reverse = 7, hidden = 8,
}
for i, name in ipairs { "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white" } do
  codes[name], codes["on" .. name] = 29 + i, 39 + i
end

local colors = setmetatable({}, {
  __index = function(_, name)
    local code = codes[name]
    return code and function(text) return ("\27[%dm%s\27[0m"):format(code, text) end
  end,
})

-- Messages end up in reports of every kind: by themselves they are plain.
return { colors = colors, isatty = function() return false end }
