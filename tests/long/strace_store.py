"""strace_store.sh: a disk that fails to sync, and what was promised meanwhile."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 30
LETTERS = 60
PASSWORD = "open sesame"
# By which SQLite and the server's own code sync, and when that fails.
FAULTS = [("fsync,fdatasync", "3"), ("fsync,fdatasync", "3+7"), ("fsync,fdatasync", "5+1"),
          ("pwrite64", "9+23")]


class Client:
    """Speaks frames; one request at a time."""

    def __init__(self, port, login):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.bytes = b""
        self.events = []
        self.welcome = self.ask(login)

    def frame(self):
        while True:
            if len(self.bytes) >= 4:
                end = 4 + int.from_bytes(self.bytes[:4], "big")
                if len(self.bytes) >= end:
                    body, self.bytes = self.bytes[5:end], self.bytes[end:]
                    return json.loads(body)
            came = self.socket.recv(65536)
            assert came, "the server has closed"
            self.bytes += came

    def ask(self, request):
        body = json.dumps(request).encode()
        self.socket.sendall((len(body) + 1).to_bytes(4, "big") + b"\x01" + body)
        while True:
            message = self.frame()
            if "re" in message:
                return message
            self.events.append(message)

    def event(self):
        return self.events.pop(0) if self.events else self.frame()


def start(parlor, data):
    server = subprocess.Popen([parlor, "serve", "--listen", "127.0.0.1:0", "--data", data],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in server.stdout:
        found = re.search(r"listens on .*:(\d+)$", line.strip())
        if found:
            return server, int(found.group(1))
    raise AssertionError(f"it did not start: {server.stderr.read()}")


def trace(server, data, calls, when):
    """Only the thread of the store: the log and the files are not the subject."""
    tasks = f"/proc/{server.pid}/task"
    store = [task for task in os.listdir(tasks)
             if open(f"{tasks}/{task}/comm").read().strip() == "store"]
    assert len(store) == 1, "the thread of the store has another name"
    tracer = subprocess.Popen(
        ["strace", "-q", "-o", os.path.join(data, "trace"), "-e", f"trace={calls}",
         "-e", f"inject={calls}:error=EIO:when={when}", "-p", store[0]],
        stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while "TracerPid:\t0" in open(f"{tasks}/{store[0]}/status").read():
        assert time.monotonic() < end, "strace never came"
        time.sleep(0.02)
    return tracer


def code(answer):
    return answer["error"]["code"] if "error" in answer else answer["ok"]


def run(parlor, calls, when):
    with tempfile.TemporaryDirectory() as data:
        server, port = start(parlor, data)
        tracer = None
        try:
            register = {"op": "register", "user": "ben", "password": PASSWORD}
            assert code(Client(port, register).welcome) == "welcome"
            carl = Client(port, {"op": "login", "user": "carl"})
            tracer = trace(server, data, calls, when)
            answers = [code(carl.ask({"op": "whisper", "user": "ben", "text": str(n)}))
                       for n in range(LETTERS)]
            assert set(answers) <= {"kept", "store_failed"}, answers
            assert code(carl.ask({"op": "join", "room": "lobby"})) == "joined"
            tracer.send_signal(signal.SIGINT)
            tracer.wait(PATIENCE)
            after = code(carl.ask({"op": "whisper", "user": "ben", "text": "after"}))
            assert after == "kept", f"the faults are over, and still: {after}"
            assert server.poll() is None, f"the server ended: {server.stderr.read()}"
            injected = open(os.path.join(data, "trace")).read().count("(INJECTED)")
            assert injected > 0, "no call to fail: does the store sync at all?"
            server.kill()
            assert "panicked" not in server.stderr.read()
            server.wait()

            server, port = start(parlor, data)
            ben = Client(port, {"op": "login", "user": "ben", "password": PASSWORD})
            kept = [str(n) for n, answer in enumerate(answers) if answer == "kept"] + ["after"]
            came = []
            while "after" not in came:
                event = ben.event()
                if event["ev"] == "whispered":
                    came.append(event["text"])
                    # The next ones are sent when these have arrived.
                    assert code(ben.ask({"op": "got", "letter": event["letter"]})) == "done"
            assert came == kept, f"kept {kept}, came {came}"
            return injected, answers.count("store_failed")
        finally:
            for process in (tracer, server):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()


def main():
    failed = 0
    for calls, when in FAULTS:
        try:
            injected, refused = run(sys.argv[1], calls, when)
            print(f"ok    {calls:<15} {when:<4} {injected:>4} faults, {refused:>3} of {LETTERS} "
                  f"letters refused, all that were kept are there", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {calls:<15} {when:<4} {error}", flush=True)
    sys.exit(1 if failed else 0)


main()
