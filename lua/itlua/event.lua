--- The events of a run: flat tables (strings, numbers, booleans only), one JSON line each under `-o jsonl`.
-- A worker's spec engine emits them, the supervisor adds its own, and every reporter is a function of them and of
-- nothing else. Files that run at the same time take turns: what is told of an attempt at a test stands together, but
-- between two of a file there may be some of other files. `ev` names the kind. Times are seconds on the wall clock (`at`)
-- or durations (`seconds`); lines count from 1.

---@class itlua.event.run_start    the supervisor's first
---@field ev "run_start"
---@field version string
---@field at number
---@field files integer         how many files will run
---@field jobs integer          worker processes
---@field concurrency integer   files at a time in each
---@field seed integer
---@field run integer           1, or the number of the repetition under --repeat
---@field runs integer          0: until something fails
---@field partial? boolean      options leave out some tests of the files
---@field shard? string         "2/4"
---@field shard_plan? string    what the cut was made from: shards of one run have the same
---@field profile? string       of --profile
---@field randomized boolean    the seed mattered

---@class itlua.event.file_start
---@field ev "file_start"
---@field file string           path as given or found
---@field at number
---@field worker integer
---@field began? number         of merged recordings: when its own run began

---@class itlua.event.block_start    a describe, context, insulate, expose
---@field ev "block_start"
---@field file string
---@field id integer            unique within the file's run; the file itself is block 0
---@field parent integer
---@field name string           its own name, not joined
---@field kind string           "describe" | "insulate" | "expose" | an alias's descriptor
---@field line integer
---@field randomseed? integer   set where randomize() was used

---@class itlua.event.block_end
---@field ev "block_end"
---@field file string
---@field id integer
---@field seconds number
---@field left? string          what it left open, a line each

---@class itlua.event.test_start
---@field ev "test_start"
---@field file string
---@field id integer            unique within the file's run
---@field block integer         the block it belongs to
---@field name string           full name: the blocks' names and its own, joined by one blank
---@field own string            its own name
---@field line integer          where `it` was called
---@field last integer          last line of the test's function
---@field kind string           "it" | "pending"
---@field at number
---@field source? string        the file of `line` where it is not `file` (a shared example)
---@field randomseed? integer    its block's children were shuffled with it
---@field attempt? integer      under --retries: 2 and up. The id is that of the first attempt

---@class itlua.event.test_end
---@field ev "test_end"
---@field file string
---@field id integer
---@field status "success"|"failure"|"error"|"pending"
---@field seconds number
---@field left? string          what it left open, a line each ("server 127.0.0.1:4711, opened at orders_spec.lua:12")
---@field retried? boolean      it failed and runs again: counts for nothing; another test_start with its id follows
---@field attempts? integer     how often it ran, where that is more than once
---@field flaky? boolean        it passed, but not at first

---@field timeline? string      where a reporter asked for them (its module has `wants_timelines`) and no problem of the
---test brought it: the spans of the test, with less data than those of a failure, and none after the first of many

-- A span with `log` is a line that a service or a container printed; its `what` is the service's name.
-- A span of a timeline: `at` in seconds on a clock of its own (differences count), `seconds` it took, `what` ("http.request",
-- "sql.query", "redis", "server", a service's name for a line that it printed), `detail` (to whom), `outcome` (what came of it;
-- "still waiting" and "still running" where it was not over), and `data` where there is more to tell:
--   http.request    {request = {method, url, headers, body}, response = {status, reason, headers, body, size}, curl?}
--   server          {request = {method, url, headers, body}, response = {status}}
--   sql.query, sql.exec   {statement, parameters, rows, rows_left_out, value}
--   redis           {command, reply} or, of a pipeline, {commands, replies}
--   process.wait    {code, signal, stdout, stderr}
--   container       {command, code, stdout, stderr}
--   events          {topic, partition, offset, key, value}
-- Texts are valid UTF-8, cut at 64 KiB (4 KiB in a test that passed), which the text then says: "… [65536 of 90000 bytes]".

---@class itlua.event.problem    a failure, an error or a pending call; comes before its test_end. busted counts these
---@field ev "problem"
---@field file? string
---@field id? integer           the test, absent when it is a hook's, a block's or the file's
---@field block? integer
---@field kind "failure"|"error"|"pending"
---@field where string       descriptor: "it" | "before_each" | "describe" | "file" | "finally" | "task" | "helper" ...
---@field name string           full name of the test, or of the block it happened in ("" at the file's level)
---@field message string        what busted prints, "file:line: " in front
---@field source string         where it was raised (short_src)
---@field line integer          currentline there
---@field at_line integer       line of the element (busted's "@ line")
---@field at_source? string     the file of `at_line` where it is not `file`
---@field own? string           the element's own name: "setup" where `where` is "strict_setup"
---@field randomseed? integer   the children of the block around it were shuffled with it
---@field not_run? string       what did not run for it: of a setup "2 tests and 1 block", of a before_each its test's own name
---@field twins? boolean       other tests are declared on its line, as in a loop: its name tells it apart
---@field traceback? string     as busted cuts it. A file's problem without one means that it could not be loaded
---@field error_kind? string    `kind` of an itlua error object
---@field error_code? string
---@field timeline? string      JSON array of spans {at, seconds, what, detail, outcome, data?} of the test so far, see below
---@field error_table? string   these three: what an SQL error names
---@field error_constraint? string
---@field error_detail? string
---@field waits? string         of a test whose time was over: JSON array of {where, what, detail, seconds, spawned?}, what
---each of its tasks waited for, its own wait first
---@field services? string      JSON array of itlua.lua's services as they are now: {name, kind, state, exit, host, port, url}
---@field transactions? string  JSON array of database sessions that stand idle in a transaction, where a statement did not
---come back: {pid, name, database, query, seconds}
---@field earlier_rows? string  JSON array of {at, statement}, the latest first: what this file put before into the table of a
---row that is there already, outside of the test that failed
---@field cause? string         the likely cause and where to look, ready to print, a line or several (report/cause.lua)
---@field cause_key? string     failures with the same key are one story
---@field diff? string          the readable diff, ready to print
---@field curl? string          the last request of the test as a curl command
---@field excerpt? string       in recordings (jsonl): the lines of source around it
---@field excerpt_line? integer  the number of the first of them
---@field retried? boolean      of an attempt after which the test runs again: counts for nothing

---@class itlua.event.output     what a test, a hook or a file printed (stdout and stderr as they came)
---@field ev "output"
---@field file? string
---@field id? integer
---@field text string           raw bytes
---@field service? string       a service printed it while the run went on; told at its end, to reports that show it

---@class itlua.event.listed     under --list, instead of everything between file_start and file_end
---@field ev "listed"
---@field file string
---@field line integer
---@field name string
---@field source? string        the file of `line` where it is not `file`

---@class itlua.event.blocked    a file held the thread while others waited
---@field ev "blocked"
---@field file string
---@field seconds number

-- Events that reporters do not get, but what shows a run while it runs does, at once (`glimpse` in report/init.lua): those of
-- tests that run, before they have ended, and these.

---@class itlua.event.waiting    a test that takes long
---@field ev "waiting"
---@field file string
---@field id integer
---@field what string         what it waits for: "sql SELECT pg_sleep(60)"

---@class itlua.event.file_again    its worker died: it waits to run once more, of which only what is new will be told
---@field ev "file_again"
---@field file string

---@class itlua.event.service    one of itlua.lua's
---@field ev "service"
---@field name string
---@field state "starting"|"ready"
---@field at number

---@class itlua.event.file_end
---@field ev "file_end"
---@field file string
---@field seconds number
---@field left? string          what the file left open
---@field skipped? string       why nothing of it ran: no loader for it, a broken helper, the run was over
---@field crashed? string       why its worker ended ("signal 11 (Segmentation fault)")

---@class itlua.event.left       what was left open outside any file: by a helper
---@field ev "left"
---@field left string

---@class itlua.event.run_end    the supervisor's last
---@field ev "run_end"
---@field seconds number
---@field successes integer
---@field failures integer
---@field errors integer
---@field pendings integer
---@field tests integer
---@field flaky? integer        tests that passed, but not at first (successes, too)
---@field interrupted? string   "SIGINT"
---@field nothing? string       why no test ran
---@field services? string      what was started of itlua.lua's services, a line each: name, what it is

return {}
