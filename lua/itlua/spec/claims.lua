--- What a spec file claims of the run, in comments before its first line of code:
--     -- itlua: alone                   nothing else runs meanwhile
--     -- itlua: lock=db1, lock=mail     no two files that name the same lock run at once
--     -- itlua: share=db1               nor one that locks it; all that share it do
-- The supervisor asks before it hands the file out.

local claims = {}

---@class itlua.spec.claims
---@field alone boolean
---@field locks string[]
---@field shares string[]
---@field unknown string[]     words that mean nothing

--- Pure: reads the claims from a source text.
---@param source string
---@return itlua.spec.claims
function claims.of(source)
  local found = { alone = false, locks = {}, shares = {}, unknown = {} }
  for line in source:gmatch("[^\r\n]*") do
    local comment = line:match("^%s*%-%-(.*)")
    if not comment and line:find("%S") and not line:find("^#") then break end
    local words = comment and comment:match("^%s*itlua:%s*(.-)%s*$")
    for word in (words or ""):gmatch("[^%s,]+") do
      local lock = word:match("^lock=(.+)$")
      local share = word:match("^share=(.+)$")
      if lock then
        table.insert(found.locks, lock)
      elseif share then
        table.insert(found.shares, share)
      elseif word == "alone" then
        found.alone = true
      else
        table.insert(found.unknown, word)
      end
    end
  end
  return found
end

return claims
