"""The seconds from starting a REPL on a terminal to its prompt.    prompt.py COMMAND…"""
import os, pty, select, signal, sys, time

began = time.monotonic()
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", NO_COLOR="1")
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"> " not in seen:
    if not select.select([terminal], [], [], 10)[0]:
        sys.exit("no prompt: " + repr(seen))
    seen += os.read(terminal, 65536)
print(time.monotonic() - began)
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
