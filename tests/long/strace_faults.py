"""The cells of strace_faults.sh: one server for each (errno, system call)."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

ERRNOS = ["EINTR", "EAGAIN", "ECONNABORTED", "ECONNRESET", "EPIPE", "EPERM",
          "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE", "EPROTO", "ETIMEDOUT"]
# What the loop calls for its sockets, and when it fails: the third time and each seventh after it.
# mio hands an error of epoll_wait on; other than EINTR the kernel gives it only for wrong arguments.
CALLS = {"accept4": "3+7", "recvfrom": "3+11", "sendto": "3+7", "writev": "2+3",
         "epoll_ctl": "9+7", "epoll_wait": "5+7"}
PATIENCE = 20


def cells():
    for call in CALLS:
        for errno in ERRNOS:
            if call == "epoll_wait" and errno != "EINTR":
                continue
            yield call, errno


def talk(port, n):
    """One client's life, a line at a time; whatever the faults do to it, it ends. Says whether it
    was served. A fault that says "nothing there" to an edge is a lie that no kernel tells, and
    costs the client its answer: so it waits for a second only."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.settimeout(1)
            for line in b"/login u%d" % n, b"/join lobby", b"/say hi", b"/ping", b"/exit":
                s.sendall(line + b"\n")
                came = s.recv(65536)
            while came and b"bye: goodbye" not in came:
                came = s.recv(65536)
            return b"bye: goodbye" in came
    except OSError:
        return False


def cpu_ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split(" ")
    return int(fields[11]) + int(fields[12])


def wait_until(what, probe):
    end = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.02)


def run(parlor, call, errno):
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [parlor, "serve", "--listen", "127.0.0.1:0", "--data", data, "--drain", "2s",
             "--room-members", "100"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        tracer = None
        try:
            port = int(re.search(r":(\d+)$", server.stdout.readline().strip()).group(1))
            fds = lambda: len(os.listdir(f"/proc/{server.pid}/fd"))
            before = fds()
            tracer = subprocess.Popen(
                ["strace", "-f", "-q", "-o", os.path.join(data, "trace"), "-e", f"trace={call}",
                 "-e", f"inject={call}:error={errno}:when={CALLS[call]}", "-p", str(server.pid)],
                stderr=subprocess.DEVNULL)
            status = f"/proc/{server.pid}/status"
            wait_until("strace", lambda: "TracerPid:\t0" not in open(status).read())
            served = sum(talk(port, n) for n in range(20))
            crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
            for n, s in enumerate(crowd):
                try:
                    s.sendall(b"/login v%d\n/join lobby\n" % n + b"/say hello\n" * 20)
                except OSError:
                    pass
            select.select(crowd, [], [], 5)
            for s in crowd:
                s.close()
            tracer.send_signal(signal.SIGINT)
            tracer.wait(PATIENCE)
            injected = open(os.path.join(data, "trace")).read().count("(INJECTED)")
            assert server.poll() is None, f"the server ended: {server.stderr.read()}"
            wait_until(f"{before} descriptors as at the start", lambda: fds() == before)
            ticks = cpu_ticks(server.pid)
            time.sleep(1)  # a measurement: what an idle server uses in a second
            ticks = cpu_ticks(server.pid) - ticks
            assert ticks <= 10, f"the server spins: {ticks} ticks in a second"
            assert talk(port, 99), "a newcomer is not served"
            wait_until(f"{before} descriptors as at the start", lambda: fds() == before)
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE) == 0, "the server ended badly"
            assert "panicked" not in server.stderr.read()
            return injected, served
        finally:
            for process in (tracer, server):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()


def main():
    failed = 0
    for call, errno in cells():
        try:
            injected, served = run(sys.argv[1], call, errno)
            print(f"ok    {call:<11} {errno:<13} {injected:>4} faults, {served} of 20 served",
                  flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {call:<11} {errno:<13} {error}", flush=True)
    sys.exit(1 if failed else 0)


main()
