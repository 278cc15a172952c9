--- What containers add to the timeline of a test that fails: the lines they have printed since it began, and that they
--- have ended. Of one that is removed before the test has failed, as `local c <close>` is, they are taken when it goes.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local run = require "itlua.run"
local time = require "itlua.time"

local story = {}

local LINES, BUDGET = 10, 1 -- of each container; seconds for all of them

local open, test_began
local gone = {} -- spans of those that were removed in this test

local function short_name(container)
  return container.image:match "([^/:@]+)[:@]?[^/]*$" or container.name
end

--- What a container has printed since a time on the wall clock, with the time of each line.
---@param container itlua.container.Container
---@param since number
---@param last integer     lines at most
---@return { at: number, text: string }[]
function story.lines(container, since, last)
  local list = {}
  local text = container:logs { since = since, tail = last, timestamps = true }
  for stamp, line in text:gmatch "(%S+) ?([^\n]*)\n" do
    local ok, moment = pcall(time.parse, stamp)
    if ok and type(moment) == "number" then list[#list + 1] = { at = moment, text = line:gsub("\r$", "") } end
  end
  return list
end

local function add_lines(spans, container, ahead)
  local name = short_name(container)
  for _, line in ipairs(story.lines(container, test_began, LINES)) do
    spans[#spans + 1] = { at = line.at - ahead, seconds = 0, what = name, detail = line.text, log = true }
  end
  local state = container:inspect().State
  if state.Running then return end
  local ended, moment = pcall(time.parse, state.FinishedAt)
  if ended and type(moment) == "number" and moment >= test_began then
    spans[#spans + 1] = { at = moment - ahead, seconds = 0, what = name, detail = state.OOMKilled and "out of memory"
      or ("exited with code %d"):format(state.ExitCode) }
  end
end

-- Asks the engine, which takes no part in the test.
local function aside(fn)
  local before = core.silence(true)
  local scope = core.enter(BUDGET, true) -- also when the test's time is over
  local ok, err = pcall(fn)
  core.leave(scope)
  core.silence(before)
  return ok, err
end

local function tell()
  local spans, ahead = table.move(gone, 1, #gone, 1, {}), core.clock() - core.now()
  local ok, err = aside(function()
    for container in pairs(open) do
      if container.removed then open[container] = nil else pcall(add_lines, spans, container, ahead) end
    end
  end)
  if not ok then error(err, 0) end
  return spans
end

--- The container is about to be removed.
---@param container itlua.container.Container
function story.leave(container)
  if not open or not open[container] then return end
  open[container] = nil
  if run.in_test then aside(function() add_lines(gone, container, core.clock() - core.now()) end) end
end

--- From now on the container's lines are told, until it is removed.
---@param container itlua.container.Container
function story.follow(container)
  if not open then
    open, test_began = {}, core.clock() - (run.began and core.now() - run.began or 0)
    evidence.offer_spans(tell, function() test_began, gone = core.clock(), {} end)
  end
  open[container] = true
end

return story
