#!/usr/bin/env python3
"""Plays a session with the real server and two real clients, and draws it: docs/session.svg.

    cargo build --release && docs/session.py

What the clients print is drawn as it came; nothing here is written by hand but what is typed. The
binary is that of PARLOR, or target/release/parlor.
"""

import html
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARLOR = os.path.abspath(os.environ.get("PARLOR") or os.path.join(ROOT, "target/release/parlor"))
COLUMNS, CHAR, LINE, TOP = 58, 7.8, 19, 46

# Who types what, and what is then waited for, by each who is to read it.
PLAY = [
    ("alice", "/join kitchen", {"alice": "you are in kitchen"}),
    ("bob", "/join kitchen", {"bob": "you are in kitchen", "alice": "bob joined"}),
    ("bob", "coffee is ready", {"alice": "coffee is ready"}),
    ("alice", "/sendfile minutes.pdf bob", {"bob": "minutes.pdf"}),
    ("bob", "/get 1", {"bob": "saved", "alice": "has taken"}),
    ("bob", "/whisper alice thanks!", {"alice": "thanks!"}),
    ("alice", "/queue", {"alice": "0 of 5"}),
    ("alice", "/exit", {"alice": "bye", "bob": "alice is offline"}),
    ("bob", "/exit", {"bob": "bye"}),
]


class Person:
    """A client in a folder of its own, and all that was typed and read there."""

    def __init__(self, name, addr, folder):
        self.lines = [("typed", f"$ parlor chat {addr.split(':')[0]} --user {name}")]
        os.mkdir(folder)
        self.child = subprocess.Popen(
            [PARLOR, "chat", addr, "--user", name],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.append(("read", line.rstrip("\n")))

    def type(self, line):
        self.lines.append(("typed", line))
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def wait_for(self, text, since):
        end = time.monotonic() + 10
        while not any(kind == "read" and text in line for kind, line in self.lines[since:]):
            if time.monotonic() > end:
                sys.exit(f"nobody read: {text}\n{self.lines}")
            time.sleep(0.01)


def play(folder):
    server = subprocess.Popen(
        [PARLOR, "serve", "--listen", "127.0.0.1:0", "--data", os.path.join(folder, "data")],
        stdout=subprocess.PIPE, text=True,
    )
    addr = server.stdout.readline().split()[-1]
    people = {}
    for name in ("alice", "bob"):
        people[name] = Person(name, addr, os.path.join(folder, name))
        people[name].wait_for("welcome", 0)
    with open(os.path.join(folder, "alice/minutes.pdf"), "wb") as file:
        file.write(b"What was said on Monday.\n" * 500)
    for who, line, awaited in PLAY:
        since = {name: len(person.lines) for name, person in people.items()}
        people[who].type(line)
        for name, text in awaited.items():
            people[name].wait_for(text, since[name])
        time.sleep(1)  # so that the times shown are those of people
    for person in people.values():
        person.child.wait(10)
        person.reader.join(10)
    server.terminate()
    server.wait(10)
    return people


def pane(person, name, x):
    rows = []
    for kind, line in person.lines:
        for part in textwrap.wrap(line, COLUMNS, subsequent_indent="    ") or [""]:
            rows.append((kind, part))
    texts = [
        f'<text x="{x + 14}" y="{TOP + LINE * n}" class="{kind}" xml:space="preserve">'
        f"{html.escape(part)}</text>"
        for n, (kind, part) in enumerate(rows)
    ]
    return name, x, texts


def draw(people):
    width = int(COLUMNS * CHAR) + 28
    panes = [pane(person, name, n * (width + 12)) for n, (name, person) in enumerate(people.items())]
    height = TOP + LINE * max(len(texts) for _, _, texts in panes)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width + 12} {height}" '
        f'width="{2 * width + 12}" height="{height}" role="img" aria-label="A session of two clients">',
        "<style>text{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
        ".read{fill:#d7dae0}.typed{fill:#8fd18a;font-weight:bold}.name{fill:#8b919d}</style>",
    ]
    for name, x, texts in panes:
        out.append(f'<rect x="{x}" width="{width}" height="{height}" rx="8" fill="#20242b"/>')
        out.append(f'<text x="{x + 14}" y="22" class="name">{name}</text>')
        out += texts
    return "\n".join(out + ["</svg>", ""])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        svg = draw(play(folder))
    with open(os.path.join(ROOT, "docs/session.svg"), "w") as file:
        file.write(svg)
