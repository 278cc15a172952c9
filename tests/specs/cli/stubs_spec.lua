-- What `itlua init --editor` writes: nothing in it that an editor would complain about.

local fs = require "itlua.fs"
local process = require "itlua.process"

describe("the stubs for editors", function()
  local files = {}

  setup(function()
    local folder <close> = fs.tempdir { prefix = "itlua-stubs-" }
    process.run { process.self(), "init", "--editor", "--ci", "none", cwd = folder.path, check = true }
    for _, name in ipairs(fs.list(folder:join ".itlua/types", { recursive = true })) do
      if name:find "%.lua$" then files[name] = fs.read(folder:join(".itlua/types/" .. name)) end
    end
  end)

  -- Calls each(place, tag, rest, block) for each annotation; `block` is shared by the lines of one comment, and has the code
  -- below it once it is over: after(place, block).
  local function annotations(each, after)
    for name, text in pairs(files) do
      local block, number = {}, 0
      for line in (text .. "\n"):gmatch "([^\n]*)\n" do
        number = number + 1
        local place = name .. ":" .. number
        if line:find "^%-%-%-" then
          local tag, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
          if tag then each(place, tag, rest, block) end
        else
          block.code = line
          if after then after(place, block) end
          block = {}
        end
      end
    end
  end

  it("are Lua, and many", function()
    local count = 0
    for name, text in pairs(files) do
      count = count + 1
      assert(load(text, "@" .. name, "t"))
    end
    assert.is_true(count > 40, count)
  end)

  it("name no class that there is not", function()
    local known, wrong = { ["itlua.lua"] = true, ["itlua.null"] = true, ["itlua.event"] = true }, {} -- files, in words
    annotations(function(_, tag, rest)
      if tag == "class" or tag == "alias" then known[rest:match "[%w_.]+"] = true end
    end)
    annotations(function(place, _, rest)
      for name in rest:gsub('"[^"]*"', ""):gmatch "%f[%w_.]itlua%.[%w_.]*%w" do
        local module = name:gsub("^itlua%.", ""):gsub("%.", "/")
        if not known[name] and not files["itlua/" .. module .. ".lua"] then wrong[#wrong + 1] = place .. " " .. name end
      end
    end)
    assert.same({}, wrong)
  end)

  it("describe parameters that there are, and each field once", function()
    local wrong = {}
    annotations(function(place, tag, rest, block)
      if tag == "class" then block.fields = {} end
      if tag == "field" then
        local name = rest:gsub("^private%s", ""):match '^%[?"?([%w_.]+)'
        if not block.fields then wrong[#wrong + 1] = place .. ": of no class"
        elseif not name or block.fields[name] then wrong[#wrong + 1] = place .. ": twice, or without a name"
        else block.fields[name] = true end
      elseif tag == "param" then
        block[#block + 1] = rest:match "^[%w_.]+"
      end
    end, function(place, block)
      local arguments = block.code:match "^function [%w_.:]+(%b())"
      for _, name in ipairs(arguments and block or {}) do
        local found = false
        for argument in arguments:gmatch "[%w_.]+" do found = found or argument == name end
        if not found then wrong[#wrong + 1] = place .. ": no parameter " .. name end
      end
    end)
    assert.same({}, wrong)
  end)
end)
