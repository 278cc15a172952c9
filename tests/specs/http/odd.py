"""A server for the specs of itlua.http: answers that say what was asked, and answers as no proper server gives them.

    odd.py [--tls CERT KEY [CLIENT_CA]] [--unix PATH]      prints the port (or the path) once it listens

A thread a connection, HTTP/1.1 by hand: most of what is tested here is what a library would not do. Paths are the
functions below: /echo is echo().
"""

import base64
import gzip
import hashlib
import json
import signal
import socket
import ssl
import struct
import sys
import threading
import time

served = {}  # path -> how many requests, for retries
connections = 0
lock = threading.Lock()


class Request:
    def __init__(self, conn, method, target, version, headers):
        self.conn, self.method, self.target, self.version, self.headers = conn, method, target, version, headers
        self.path, _, self.query = target.partition("?")

    def header(self, name):
        return ", ".join(v for n, v in self.headers if n.lower() == name.lower()) or None

    def body(self):
        if (self.header("Transfer-Encoding") or "").lower() == "chunked":
            out = []
            while True:
                size = int(self.conn.line().split(b";")[0], 16)
                out.append(self.conn.take(size))
                self.conn.line()
                if size == 0:
                    return b"".join(out)
        return self.conn.take(int(self.header("Content-Length") or 0))


class Connection:
    def __init__(self, sock, number):
        self.sock, self.file, self.number = sock, sock.makefile("rb"), number

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line.rstrip(b"\r\n")

    def take(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, status=200, body=b"", headers=(), reason="OK", length=True):
        if isinstance(body, str):
            body = body.encode()
        lines = ["HTTP/1.1 %d %s" % (status, reason)]
        lines += ["%s: %s" % h for h in headers]
        if length:
            lines.append("Content-Length: %d" % len(body))
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def json(self, value, **kw):
        self.answer(body=json.dumps(value), headers=[("Content-Type", "application/json")], **kw)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.sock.close()
        raise EOFError

    def close(self):
        self.file.close()
        self.sock.close()
        raise EOFError

    def request(self):
        method, target, version = self.line().decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = self.line().decode("latin-1")
            if not line:
                return Request(self, method, target, version, headers)
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))


def pieces(req):
    """Numbers of the query: /big?1000 -> 1000."""
    return int(req.query or 0)


# ---- proper answers


def echo(c, r):
    body = r.body()
    value = {"method": r.method, "target": r.target, "version": r.version, "headers": r.headers,
             "body": body.decode("latin-1"), "size": len(body), "sha": hashlib.sha256(body).hexdigest(),
             "connection": c.number}
    if r.method == "HEAD":
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Head: yes\r\n\r\n")
    else:
        c.json(value)


def status(c, r):
    r.body()
    code = int(r.path.rsplit("/", 1)[1])
    c.answer(code, "" if code in (204, 304) else "status %d" % code, reason="Because", length=code not in (204, 304))


def headers(c, r):
    c.answer(body="x", headers=[("X-Twice", "a"), ("x-twice", "b"), ("X-Empty", ""), ("X-Comma", "1,2"), ("All", "everything"),
                                ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; HttpOnly")])


def trailers(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n")


def hints(c, r):
    c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    c.answer(body="after hints")


def compressed(c, r):
    accepted = r.header("Accept-Encoding") or ""
    if "gzip" not in accepted and "force" not in r.query:
        c.answer(body='{"packed": false}')
    else:
        c.answer(body=gzip.compress(b'{"packed": true}'), headers=[("Content-Encoding", "gzip")])


def bomb(c, r):
    c.answer(body=gzip.compress(b"\0" * (64 << 20)), headers=[("Content-Encoding", "gzip")])


def badzip(c, r):
    c.answer(body=b"this is not gzip", headers=[("Content-Encoding", "gzip")])


def http10(c, r):
    c.send(b"HTTP/1.0 200 Fine\r\nContent-Type: text/plain\r\n\r\nuntil the end")
    c.close()


def notjson(c, r):
    c.answer(body='{"a": [1, 2, }', headers=[("Content-Type", "application/json; charset=utf-8")])


def nested(c, r):
    c.answer(body="[" * 100000 + "]" * 100000)


def flaky(c, r):
    """/flaky/NAME?N: N answers 503, then 200."""
    r.body()
    with lock:
        served[r.path] = served.get(r.path, 0) + 1
        n = served[r.path]
    if n <= pieces(r):
        c.answer(503, "not yet", reason="Service Unavailable")
    else:
        c.json({"attempts": n})


def later(c, r):
    """/later/NAME: 429 with Retry-After, once."""
    with lock:
        served[r.path] = served.get(r.path, 0) + 1
        n = served[r.path]
    if n == 1:
        c.answer(429, headers=[("Retry-After", "0.3")])
    else:
        c.answer(body="now")


def breaks(c, r):
    """/breaks/NAME?N: resets N times, then 200."""
    with lock:
        served[r.path] = served.get(r.path, 0) + 1
        n = served[r.path]
    if n <= pieces(r):
        c.reset()
    c.answer(body="whole")


def limited(c, r):
    """/limited/NAME?N: N requests are answered 200, the rest 429."""
    with lock:
        served[r.path] = served.get(r.path, 0) + 1
        n = served[r.path]
    c.answer(200 if n <= pieces(r) else 429)


# ---- cookies, redirects, authentication


def login(c, r):
    c.answer(headers=[("Set-Cookie", "session=s3cret; Path=/; HttpOnly"), ("Set-Cookie", "theme=dark; Path=/echo")])


def redirect(c, r):
    """/redirect/STATUS?TARGET"""
    r.body()
    c.answer(int(r.path.rsplit("/", 1)[1]), "moved", headers=[("Location", r.query), ("X-Hop", "1")], reason="Moved")


def loop(c, r):
    c.answer(302, headers=[("Location", "/loop?%d" % (pieces(r) + 1))], reason="Found")


def chain(c, r):
    n = pieces(r)
    if n == 0:
        c.answer(body="the end")
    else:
        c.answer(302, headers=[("Location", "/chain?%d" % (n - 1)), ("Set-Cookie", "hop%d=1; Path=/" % n)], reason="Found")


def basic(c, r):
    wanted = "Basic " + base64.b64encode(b"ann:pa:ss").decode()
    r.body()
    if r.header("Authorization") == wanted:
        c.answer(body="welcome")
    else:
        c.answer(401, "who?", headers=[("WWW-Authenticate", 'Basic realm="odd"')], reason="Unauthorized")


def digest(c, r):
    body = r.body()
    given = r.header("Authorization") or ""
    if given.startswith("Digest "):
        f = {}
        for item in given[7:].split(","):
            k, _, v = item.strip().partition("=")
            f[k] = v.strip('"')
        md5 = lambda s: hashlib.md5(s.encode()).hexdigest()
        a1, a2 = md5("ann:odd:secret"), md5(r.method + ":" + f["uri"])
        if f.get("qop"):
            wanted = md5(":".join([a1, f["nonce"], f["nc"], f["cnonce"], f["qop"], a2]))
        else:
            wanted = md5(":".join([a1, f["nonce"], a2]))
        if f["response"] == wanted:
            return c.answer(body=b"welcome " + body)
    c.answer(401, "who?", headers=[("WWW-Authenticate", 'Digest realm="odd", nonce="n0nce", qop="auth"')],
             reason="Unauthorized")


# ---- slow and streamed


def slow(c, r):
    """/slow?MILLISECONDS"""
    r.body()
    time.sleep(pieces(r) / 1000)
    c.answer(body="at last")


def drip(c, r):
    """/drip?N: N chunks, 20 ms apart."""
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for i in range(pieces(r)):
        time.sleep(0.02)
        c.send(b"8\r\nchunk%2d\n\r\n" % i)
    c.send(b"0\r\n\r\n")


def steps(c, r):
    """/steps?N: N chunks, each but the first after a request of /step."""
    global taken
    taken = threading.Semaphore(0)
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for i in range(pieces(r)):
        if i > 0:
            taken.acquire(timeout=30)
        c.send(b"8\r\nchunk%2d\n\r\n" % i)
    c.send(b"0\r\n\r\n")


def step(c, r):
    taken.release()
    c.answer(body="")


def stalls(c, r):
    """Half of the body, then nothing."""
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    time.sleep(30)


def big(c, r):
    """/big?BYTES with a length; sent by and by."""
    n = pieces(r)
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
    block = b"x" * 65536
    while n > 0:
        c.send(block[:n])
        n -= len(block)


def endless(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        c.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def early(c, r):
    """Refuses a body before it has come."""
    c.answer(413, "too much", reason="Payload Too Large", headers=[("Connection", "close")])
    time.sleep(0.2)
    c.close()


EVENTS = [b"\xef\xbb\xbf: welcome\n\n", b"data: one\n\n", b"event: tick\r\nid: 7\r\ndata: a\r\ndata: b\r\n\r\n", b"data:no blank\r",
          b"\rid\rdata\r\r", b"retry: 50\n\n", b"data: {\"n\": 1}\nid: 8\n\n", b"data: unfinished\n"]


def events(c, r):
    if r.header("Last-Event-ID") == "8":
        c.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return
    c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n")
    for e in EVENTS:
        c.send(e)
        time.sleep(0.01)
    c.close()


def quiet(c, r):
    """An event stream that says one thing and stays open."""
    c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
    time.sleep(30)


def graphql(c, r):
    q = json.loads(r.body())
    if "broken" in q["query"]:
        c.json({"data": None, "errors": [{"message": "no such field", "path": ["user", 0], "extensions": {"code": "BAD"}}]})
    elif "plain" in q["query"]:
        c.answer(502, "<html>bad gateway</html>")
    else:
        c.json({"data": {"echo": q.get("variables"), "operation": q.get("operationName")}})


# ---- broken


def truncated(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    c.close()


def chopped(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe")
    c.close()


def badchunk(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n")
    c.close()


def malformed(c, r):
    c.send(b"SMTP ready, say hello\r\n\r\n")
    c.close()


def badlength(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\nhello")
    c.close()


def empty(c, r):
    c.close()


def resets(c, r):
    c.reset()


def halfway(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    time.sleep(0.05)
    c.reset()


def headbomb(c, r):
    c.send(b"HTTP/1.1 200 OK\r\n")
    for i in range(200000):
        c.send(b"X-Header-%d: %s\r\n" % (i, b"y" * 80))


def binary(c, r):
    c.answer(body=bytes(range(256)), headers=[("Content-Type", "application/octet-stream")])


# ---- a proxy: absolute targets are answered as /echo, CONNECT is a tunnel


def tunnel(c, r):
    host, _, port = r.target.rpartition(":")
    if port == "9":
        c.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    there = socket.create_connection((host, int(port)))
    c.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def pump(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        finally:
            b.close()

    threading.Thread(target=pump, args=(there, c.sock), daemon=True).start()
    pump(c.sock, there)
    raise EOFError


def serve(sock, number):
    c = Connection(sock, number)
    try:
        if not isinstance(sock, ssl.SSLSocket) and sock.recv(1, socket.MSG_PEEK) == b"\x16":  # TLS, which is not spoken here
            c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            c.close()
        while True:
            r = c.request()
            if r.method == "CONNECT":
                tunnel(c, r)
            elif r.target.startswith("http://"):
                echo(c, r)
            else:
                name = r.path.strip("/").split("/")[0] or "echo"
                handler = globals().get(name)
                if callable(handler) and handler.__module__ == "__main__" and name.islower():
                    handler(c, r)
                else:
                    r.body()
                    c.answer(404, "no " + name, reason="Not Found")
            if (r.header("Connection") or "").lower() == "close":
                break
    except (EOFError, OSError, ValueError):
        pass
    finally:
        c.file.close()
        sock.close()


def accept(listener, context):
    global connections
    while True:
        sock, _ = listener.accept()
        connections += 1
        number = connections

        def start(sock=sock, number=number):
            try:
                if context:
                    sock = context.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
            serve(sock, number)

        threading.Thread(target=start, daemon=True).start()


def main(args):
    context = None
    if args and args[0] == "--tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args[1], args[2])
        if len(args) > 3:
            context.load_verify_locations(args[3])
            context.verify_mode = ssl.CERT_REQUIRED
    if args and args[0] == "--unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(args[1])
        listener.listen(128)
        print(args[1], flush=True)
    else:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener, context), daemon=True).start()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
