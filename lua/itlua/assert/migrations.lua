--- assert.migrations(db, "db/migrations").reversible(): each way down leads back to the schema before it.

local migrations = {}

local TEXT, MOST = "assertion.itlua.text", 20

local function complaint(found)
  local migration = found.migration
  local lines = { found.after == "down" and ("%s does not lead back to the schema before it:"):format(migration.down.path)
    or ("%s makes another schema the second time:"):format(migration.up.path) }
  for i, difference in ipairs(found.differences) do
    if i > MOST then
      lines[#lines + 1] = ("    and %d more"):format(#found.differences - MOST)
      break
    end
    lines[#lines + 1] = "    " .. difference
  end
  return table.concat(lines, "\n")
end

---@param luassert table
function migrations.install(luassert)
  luassert:register("assertion", "migrations", function(_, args)
    local opened = require("itlua.migrate").open(args[1], args[2])
    local function reversible()
      local found = opened:find_irreversible()
      if found then luassert(false, complaint(found), luassert:level(2)) end
    end
    return true, { { reversible = reversible }, n = 1 }
  end, TEXT, TEXT)
end

return migrations
