-- The table of options, and what is made of it.

local commands = require "itlua.cli.commands"
local completion = require "itlua.cli.completion"
local options = require "itlua.cli.options"

describe("a command line", function()
  it("can be written again as it was read", function()
    local lines = {
      { "-j", "3", "--filter", "a b", "--filter=c", "-t", "x,y", "--no-keep-going", "--seed=7", "--shuffle", "-o", "TAP" },
      { "--only-changed", "--only-changed=main", "--retries", "0", "--shuffle-files", "--no-shuffle-tests" },
      { "-v", "--bisect=a_spec.lua:3", "--timeout", "1.5", "--profile", "ci", "-e", "x = 1", "-C", "a", "-C", "b" },
    }
    for _, line in ipairs(lines) do
      local given = assert(options.parse(line, options.run))
      local again = assert(options.parse(options.write(given, {}), options.run))
      assert.same(given, again)
    end
    local given = options.parse({ "--seed=7", "-v" }, options.run)
    assert.same({ "--verbose" }, options.write(given, { seed = true }))
  end)

  it("tells an option with a value that may be left out from the path behind it", function()
    local given, rest = options.parse({ "--only-changed", "specs" }, options.run)
    assert.is_true(given["only-changed"])
    assert.same({ "specs" }, rest)
    assert.equal("main", options.parse({ "--only-changed=main" }, options.run)["only-changed"])
  end)
end)

describe("every option", function()
  it("has a word of help, a kind that is known, and a name of its own", function()
    for _, command in ipairs(commands.list) do
      local seen = {}
      for _, option in ipairs(commands.options(command)) do
        assert.is_true(#option.help > 5, option.long)
        assert.equal(option.kind == "flag", option.arg == nil, option.long)
        for _, word in ipairs(completion.words(option)) do
          assert.is_nil(seen[word], word)
          seen[word] = true
        end
      end
    end
  end)

  it("is completed in each shell and stands in the manual page", function()
    local page = require("itlua.cli.man").page "1.0"
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local text = require("itlua.cli.completion_" .. shell)(commands, completion)
      for _, option in ipairs(options.run) do
        local word = shell == "fish" and ((#option.long > 1 and "-l " or "-s ") .. option.long)
          or (#option.long > 1 and "--" or "-") .. option.long
        assert.is_truthy(text:find(word, 1, true), shell .. " has no " .. word)
      end
    end
    for _, option in ipairs(options.run) do
      assert.is_truthy(page:find((option.long:gsub("%-", "\\-")), 1, true), option.long)
    end
  end)
end)

describe("every command", function()
  it("has a module, help, and is found by its name", function()
    for _, command in ipairs(commands.list) do
      assert.equal(command, commands.named(command.name))
      assert.is_function(commands.load(command.name).run)
      assert.is_truthy(commands.help(command.name):find "^Usage: itlua", command.name)
    end
  end)
end)
