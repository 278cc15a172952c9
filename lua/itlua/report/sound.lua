--- busted's `sound` (`--enable-sound`): says aloud how the run went, once it is over.

local language = require "itlua.language"
local tally = require "itlua.report.tally"

local sound = {}

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  self.tally:event(ev)
  if ev.ev ~= "run_end" then return end
  local status = self.tally:status(self.texts):gsub(" : .*", ""):gsub(" /", ",")
  self.speak("espeak -s 160 '" .. status:gsub("'", "") .. "' > /dev/null 2>&1 &")
end

local function shell(command)
  local pipe = io.popen(command)
  if pipe then pipe:close() end
end

---@param opts table     see report.new; opts.speak: runs a shell command, for tests
function sound.new(opts)
  return setmetatable({ speak = opts.speak or shell, texts = language.texts(opts.lang),
    tally = tally.new(opts) }, Reporter)
end

return sound
