-- The settings of this project's runs: what `itlua --help` lists, by their long names.
return {
  lpath = "./specs/?.lua", -- where specs find what they require
  profiles = {
    ci = { output = { "terminal", "junit:build/junit.xml" }, timeout = 60 },
  },
}
