--- The one value for JSON's null and SQL's NULL: require "itlua.null". It is not nil (a table can hold it), and it is true in
--- a condition; compare with ==.
return require("itlua.core").null
