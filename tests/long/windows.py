"""windows.sh: plays with parlor.exe under Wine, a server and clients, and counts what went well.

A step is a function in STEPS. It is given a Stage, on which it starts a server and people, and says
with `assert` and `expect` what must be so. A stage has folders of its own and ends all that it started.

Every wait is bounded. What Parlor says goes into files and never into pipes, because Wine's own
services inherit them and would keep them open.
"""

import fcntl
import hashlib
import os
import pty
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

# Seconds; Wine takes two of them to start a process on a busy machine.
PATIENCE = 60


def wait_for(what, condition, patience=PATIENCE):
    """What `condition` answers, once that is something."""
    end = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {patience} s: {what}"
        time.sleep(0.05)


class Program:
    """parlor.exe with some arguments, in a folder of its own."""

    def __init__(self, stage, name, *arguments, variables=()):
        self.name = name
        self.folder = stage.folder(name)
        self.out = os.path.join(stage.path, f"{name}.out")
        self.seen = 0
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("USER", "USERNAME") and not key.startswith("PARLOR_")}
        environment.update(variables)
        with open(self.out, "wb") as out:
            self.process = self.begin([*stage.parlor, *arguments], environment, out)

    def begin(self, command, environment, out):
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.PIPE,
                                stdout=out, stderr=subprocess.STDOUT)

    def type(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())
        self.process.stdin.flush()

    def text(self):
        with open(self.out, encoding="utf-8", errors="replace") as out:
            return out.read()

    def expect(self, words, end="\n"):
        """What stands between `words` and `end`, the next time that they are said."""
        def said():
            text = self.text()
            at = text.find(words, self.seen)
            over = text.find(end, at + len(words))
            return None if at < 0 or over < 0 else (text[at + len(words):over].strip("\r"), over)
        try:
            rest, self.seen = wait_for(f"{self.name} says {words!r}", said)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said {self.text()[-600:]!r}") from None
        return rest

    def press_ctrl_c(self):
        # Wine makes SIGINT what a console makes of Ctrl-C.
        self.process.send_signal(signal.SIGINT)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def expect_end(self, code=0):
        try:
            ended = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end: {self.text()[-600:]!r}") from None
        assert ended == code, f"{self.name} ended with {ended}: {self.text()[-600:]!r}"

    def end(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdin.close()


class AtConsole(Program):
    """The same in a window: keys go to a console, which shows what it wants to."""

    def begin(self, command, environment, out):
        self.keys, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=screen, stdout=screen, stderr=screen,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(screen)
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        return process

    def watch(self):
        """Writes what is shown into a file, until the console is gone."""
        with open(self.out, "ab", buffering=0) as out:
            while True:
                try:
                    out.write(os.read(self.keys, 65536))
                except OSError:
                    return

    def type(self, *lines):
        for line in lines:
            os.write(self.keys, line.encode() + b"\r")

    def end(self):
        if self.process.poll() is None:
            self.kill()
        # The console goes with the last process in it.
        self.watcher.join(PATIENCE)
        os.close(self.keys)


class Stage:
    """Folders and programs of one step; at its end nothing of them is left."""

    def __init__(self, parlor):
        self.parlor = parlor
        self.path = tempfile.mkdtemp(prefix="parlor-windows-")
        self.programs = []
        self.port = None

    def folder(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name, *arguments, kind=Program, **options):
        program = kind(self, name, *arguments, **options)
        self.programs.append(program)
        return program

    def server(self, *options):
        """A server on the port of the one before, or on a free one; its data is kept between them."""
        server = self.start("server", "serve", "--listen", f"127.0.0.1:{self.port or 0}",
                            "--data", "data", *options)
        listens = server.expect(" listens on 127.0.0.1:")
        assert self.port in (None, int(listens)), listens
        self.port = int(listens)
        return server

    def client(self, name, *options, **more):
        client = self.start(name, "chat", f"127.0.0.1:{self.port}", "--user", name, *options, **more)
        client.expect(f"* welcome, {name}")
        return client

    def person(self, name, *options, room="lobby"):
        """A client that is in a room."""
        client = self.client(name, *options)
        client.type(f"/join {room}")
        client.expect(f"* you are in {room}: ")
        return client

    def log(self):
        with open(os.path.join(self.path, "server", "data", "parlor.log"), encoding="utf-8") as log:
            return log.read()

    def close(self):
        for program in self.programs:
            program.end()
        shutil.rmtree(self.path)


def content(seed, size):
    return random.Random(seed).randbytes(size)


def write(folder, name, content):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def deaf_person(port):
    """Somebody in the lobby with text lines, who reads nothing of it."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(PATIENCE)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(b"/login deaf\n/join lobby\n")
    return deaf


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def expect_same(sent, came):
    """Waits for a file, which has its name only when it is whole, or is empty for a moment before."""
    try:
        wait_for(came, lambda: os.path.exists(came) and os.path.getsize(came) == os.path.getsize(sent))
    except AssertionError as error:
        raise AssertionError(f"{error}, of {os.path.getsize(sent)} bytes") from None
    assert digest(sent) == digest(came), f"{came} is another file"


# ---- the steps -------------------------------------------------------------------------------------


def it_says_what_it_is(stage):
    program = stage.start("version", "--version")
    program.expect("parlor ")
    program.expect_end()


def a_server_starts_and_says_where_it_is(stage):
    server = stage.server()
    server.expect("connect:  parlor chat 127.0.0.1:")
    assert "Listening on 127.0.0.1:" in wait_for("the log", stage.log)


def two_clients_talk_in_a_room(stage):
    stage.server()
    alice = stage.person("alice")
    bob = stage.person("bob")
    alice.expect("[lobby] bob joined")
    for n in range(20):
        alice.type(f"to bob {n}")
        bob.type(f"to alice {n}")
    for n in range(20):
        assert bob.expect(f"[lobby] alice: to bob {n}") == ""
        assert alice.expect(f"[lobby] bob: to alice {n}") == ""
    alice.type("Grüße, 世界")
    assert bob.expect("[lobby] alice: ") == "Grüße, 世界"
    bob.type("/exit")
    alice.expect("[lobby] bob left")
    bob.expect_end()
    # The end of the input is a goodbye as well.
    alice.process.stdin.close()
    alice.expect_end()


def a_file_goes_from_client_to_client_whole(stage):
    stage.server()
    alice = stage.person("alice")
    taken = stage.folder("taken")
    bob = stage.client("bob", "--accept-files", os.path.join("..", "taken"))
    names = ["large.bin", "empty.bin", "größe 1.bin"]
    for name, size in zip(names, [3 * 1024 * 1024, 0, 70_001]):
        write(alice.folder, name, content(size, size))
        alice.type(f"/sendfile {name} bob")
        expect_same(os.path.join(alice.folder, name), os.path.join(taken, name))
    # A name that is taken gets a number, and nothing is written over.
    large, again = os.path.join(alice.folder, names[0]), os.path.join(taken, "large (1).bin")
    alice.type("/sendfile large.bin bob")
    expect_same(large, again)
    expect_same(large, os.path.join(taken, names[0]))
    bob.type("/exit")
    bob.expect_end()
    assert sorted(os.listdir(taken)) == sorted([*names, "large (1).bin"])


def a_file_lies_on_a_shelf_and_is_taken_whole(stage):
    server = stage.server()
    alice = stage.person("alice")
    write(alice.folder, "plan.bin", content(7, 2 * 1024 * 1024))
    alice.type("/upload plan.bin")
    alice.expect("plan.bin sent, BLAKE3 ")
    server.kill()
    stage.server()
    bob = stage.person("bob")
    bob.type("/download plan.bin")
    expect_same(os.path.join(alice.folder, "plan.bin"), os.path.join(bob.folder, "plan.bin"))


def ctrl_c_ends_the_server_and_tells_everybody(stage):
    server = stage.server()
    people = [stage.person("alice"), stage.client("bob", "--no-reconnect")]
    server.press_ctrl_c()
    for person in people:
        person.expect("* bye: the server shuts down; you may come back")
    people[1].expect_end(4)
    server.expect("parlor stopped: ")
    server.expect_end()
    assert "[SHUTDOWN] telling 2 connections" in stage.log()
    # Who may come back does so when there is a server again.
    stage.server()
    people[0].expect("* back as alice in lobby")


def ctrl_c_in_a_client_is_a_goodbye(stage):
    stage.server()
    alice = stage.person("alice")
    bob = stage.person("bob")
    bob.press_ctrl_c()
    bob.expect_end()
    alice.expect("[lobby] bob left")


def a_second_ctrl_c_ends_a_server_that_waits(stage):
    server = stage.server("--drain", "1h", "--output-soft", "64MiB", "--output-hard", "128MiB",
                          "--message-rate", "0")
    with deaf_person(stage.port):
        talker = stage.person("talker")
        for _ in range(40):
            talker.type(*["x" * 4000] * 100)
        talker.type("/ping")
        talker.expect("* pong")
        server.press_ctrl_c()
        talker.expect("* bye: the server shuts down")
        assert server.process.poll() is None, "it waited for nobody"
        server.press_ctrl_c()
        server.expect_end()


def after_a_kill_it_starts_on_the_same_folder_and_port(stage):
    server = stage.server()
    password = {"PARLOR_PASSWORD": "open sesame"}
    data = os.path.join("..", "server", "data")
    # The store is another process's at the same time, the folder is not.
    added = stage.start("owner", "user", "add", "ben", "--data", data, variables=password)
    added.expect_end()
    second = stage.start("second", "serve", "--listen", "127.0.0.1:0", "--data", data)
    second.expect("another server uses ")
    second.expect_end(1)
    alice = stage.person("alice")

    def is_kept():
        alice.type("/whisper ben are you there?", "/ping")
        alice.expect("* pong")
        return "ben is not here; kept until the next login" in alice.text()
    wait_for("the server knows the account", is_kept)
    server.kill()
    stage.server()
    alice.expect("* back as alice in lobby")
    ben = stage.client("ben", variables=password)
    ben.expect("alice whispers: are you there?")


def a_password_typed_at_a_console_is_not_shown(stage):
    owner = stage.start("owner", "user", "add", "ben", "--data",
                        os.path.join("..", "server", "data"), kind=AtConsole)
    # A console shows blanks as it likes.
    for question in ["new", "once"]:
        owner.expect(question, end=":")
        owner.type("open-sesame")
    owner.expect("added ben")
    owner.expect_end()
    stage.server()
    ben = stage.start("ben", "chat", f"127.0.0.1:{stage.port}", "--user", "ben", kind=AtConsole)
    ben.expect("* Password for ben:")
    ben.type("open-sesame")
    ben.expect("* welcome, ben")
    # What is no password is seen again.
    ben.type("/join attic")
    ben.expect("/join attic")
    ben.expect("* you are in attic: ben")
    ben.press_ctrl_c()
    ben.expect("* bye: goodbye")
    ben.expect_end()
    for program in owner, ben:
        assert "sesame" not in program.text(), f"{program.name} shows it: {program.text()!r}"


STEPS = [
    it_says_what_it_is,
    a_server_starts_and_says_where_it_is,
    two_clients_talk_in_a_room,
    a_file_goes_from_client_to_client_whole,
    a_file_lies_on_a_shelf_and_is_taken_whole,
    ctrl_c_ends_the_server_and_tells_everybody,
    ctrl_c_in_a_client_is_a_goodbye,
    a_second_ctrl_c_ends_a_server_that_waits,
    after_a_kill_it_starts_on_the_same_folder_and_port,
    a_password_typed_at_a_console_is_not_shown,
]


def main():
    wine, exe, *words = sys.argv[1:]
    passed = failed = 0
    for step in STEPS:
        name = step.__name__
        if words and not any(word in name for word in words):
            continue
        stage = Stage([wine, exe])
        began = time.monotonic()
        try:
            step(stage)
            passed += 1
            print(f"ok    {name.replace('_', ' ')}, {time.monotonic() - began:.1f} s", flush=True)
        except (AssertionError, OSError) as error:
            failed += 1
            print(f"FAIL  {name.replace('_', ' ')}: {error}", flush=True)
        finally:
            stage.close()
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


main()
