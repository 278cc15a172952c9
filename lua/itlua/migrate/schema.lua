--- A database's schema as lines of text, so that two can be compared: PostgreSQL's catalogs, without what is its own.

local schema = {}

local visible = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' "
  .. "AND n.nspname NOT LIKE 'pg_temp%'"

-- What an extension brought is the extension's.
local function owned(catalog, id)
  return ("AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.deptype = 'e' AND d.classid = '%s'::regclass AND d.objid = %s)")
    :format(catalog, id)
end

local queries = {
  "SELECT 'schema ' || n.nspname AS line FROM pg_namespace n WHERE n.nspname <> 'public' AND " .. visible,
  "SELECT 'extension ' || extname AS line FROM pg_extension",
  [[SELECT format('%s %I.%I', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'S' THEN 'sequence'
      WHEN 'f' THEN 'foreign table' END, n.nspname, c.relname)
      || CASE WHEN c.relrowsecurity THEN ' row security' ELSE '' END AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S', 'f') AND ]] .. visible .. owned("pg_class", "c.oid"),
  [[SELECT format('column %I.%I.%I %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
      || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
      || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END
      || coalesce(CASE a.attgenerated WHEN '' THEN ' default ' ELSE ' generated ' END
        || pg_get_expr(ad.adbin, ad.adrelid), '') AS line
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped AND ]]
    .. visible .. owned("pg_class", "c.oid"),
  [[SELECT format('constraint %s on %s: ', co.conname, co.conrelid::regclass) || pg_get_constraintdef(co.oid) AS line
    FROM pg_constraint co JOIN pg_namespace n ON n.oid = co.connamespace WHERE co.conrelid <> 0 AND ]] .. visible,
  [[SELECT 'index ' || pg_get_indexdef(i.indexrelid) AS line
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ]] .. visible,
  [[SELECT format('%s %I.%I: ', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, n.nspname, c.relname)
      || pg_get_viewdef(c.oid) AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND ]]
    .. visible .. owned("pg_class", "c.oid"),
  [[SELECT format('%s %I.%I(%s): ', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
      n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
      || CASE WHEN p.prokind = 'a' THEN '' ELSE md5(pg_get_functiondef(p.oid)) END AS line
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ]] .. visible .. owned("pg_proc", "p.oid"),
  [[SELECT format('trigger on %s: ', t.tgrelid::regclass) || pg_get_triggerdef(t.oid) AS line
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND ]] .. visible,
  [[SELECT format('enum %I.%I: ', n.nspname, t.typname) || string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) AS line
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE ]] .. visible .. owned("pg_type", "t.oid") .. " GROUP BY n.nspname, t.typname",
  [[SELECT format('domain %I.%I: %s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod)) AS line
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND ]]
    .. visible .. owned("pg_type", "t.oid"),
  [[SELECT format('policy %s on %s: %s %s', p.polname, p.polrelid::regclass, pg_get_expr(p.polqual, p.polrelid),
      pg_get_expr(p.polwithcheck, p.polrelid)) AS line
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ]] .. visible,
}

--- The schema, one sorted line for each thing in it; `except` is a table that is left out with all that belongs to it.
---@param db itlua.sql.Database
---@param except? string
---@return string[]
function schema.describe(db, except)
  local lines = {}
  for _, query in ipairs(queries) do
    for _, row in ipairs(db:query(query)) do
      if not except or not row.line:find(except, 1, true) then lines[#lines + 1] = row.line end
    end
  end
  table.sort(lines)
  return lines
end

local function counted(lines)
  local count = {}
  for _, line in ipairs(lines) do count[line] = (count[line] or 0) + 1 end
  return count
end

--- What differs: lines of the first that the second lacks ("- …"), and the other way round ("+ …").
---@param before string[]
---@param after string[]
---@return string[] differences
function schema.diff(before, after)
  local had, has, differences = counted(before), counted(after), {}
  for _, line in ipairs(before) do
    if not has[line] then differences[#differences + 1] = "- " .. line end
  end
  for _, line in ipairs(after) do
    if not had[line] then differences[#differences + 1] = "+ " .. line end
  end
  return differences
end

return schema
