--- Databases that go with the process that made them: a comment says which that is, and what a process that was killed has
--- left on a server that stays is removed by the next that comes there.

local identity = require "itlua.identity"

local owned = {}

local MARK = "itlua.owner="

--- The database goes with this process.
---@param admin itlua.sql.Connection
---@param name string
function owned.mark(admin, name)
  admin:exec(("COMMENT ON DATABASE %s IS '%s%s'"):format(admin:identifier(name), MARK, identity.current().text))
end

--- It stays, whoever made it.
---@param admin itlua.sql.Connection
---@param name string
function owned.unmark(admin, name)
  admin:exec(("COMMENT ON DATABASE %s IS NULL"):format(admin:identifier(name)))
end

--- Removes what processes that are gone have left. What cannot be removed stays: it may be somebody else's, or being removed
--- just now.
---@param admin itlua.sql.Connection
function owned.sweep(admin)
  local ok, rows = pcall(admin.query, admin, [[SELECT datname AS name, shobj_description(oid, 'pg_database') AS said
    FROM pg_database WHERE starts_with(shobj_description(oid, 'pg_database'), $1)]], MARK)
  for _, row in ipairs(ok and rows or {}) do
    if identity.gone(row.said:sub(#MARK + 1)) then
      pcall(admin.exec, admin, ("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(admin:identifier(row.name)))
    end
  end
end

return owned
