#!/usr/bin/env python3
"""Plants bugs one at a time into a copy of the tree and tells which test catches each.

The bugs are in tests/long/plants/*.txt: a title, a file, what stands there and what is to stand
there. A snippet must occur exactly once, so a bug that the code has outgrown is noticed. Ends with
1 when a bug survives or cannot be planted. Arguments are parts of the names of the bugs to plant.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANTS = ROOT / "tests" / "long" / "plants"
# What stands for a run of the whole: cheap ones first.
TESTS = [
    ("devices", ["--test", "devices"]),
    ("simulation", ["--test", "simulation"]),
    ("lib", ["--lib"]),
    ("transcripts", ["--test", "transcripts"]),
    ("states", ["--test", "threats", "row_12"]),
    ("rows", ["--test", "threats", "--", "row_18_of", "row_51", "row_57", "lateness"]),
]
LIMIT_S = 600


def read_plant(path):
    """A bug: its title and its changes, each a file, the old and the new text."""
    title, *parts = path.read_text().split("\n--- ")
    changes = []
    for part in parts:
        name, text = part.split("\n", 1)
        old, new = text.split("=======\n", 1)
        changes.append((name.strip(), old, new))
    return title.strip(), changes


def plant(tree, changes):
    for name, old, new in changes:
        file = tree / name
        text = file.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{name}: the snippet occurs {text.count(old)} times")
        file.write_text(text.replace(old, new))


def is_red(tree, target, arguments):
    """Whether a test fails: True, False, or the first error when it does not compile."""
    command = ["cargo", "test", "--quiet", "--offline", *arguments]
    env = dict(os.environ, CARGO_TARGET_DIR=str(target), RUST_BACKTRACE="0")
    try:
        done = subprocess.run(
            command, cwd=tree, env=env, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return True, "it does not end"
    output = done.stdout + done.stderr
    if "could not compile" in output:
        errors = [line for line in output.splitlines() if line.startswith("error")]
        raise ValueError(errors[0])
    lines = output.splitlines()
    said = [lines[at + 1] for at, line in enumerate(lines[:-1]) if "panicked at" in line]
    return done.returncode != 0, said[0][:90] if said else ""


def write(tree, texts):
    for name, text in texts.items():
        (tree / name).write_text(text)


def hunt(tree, target, changes, sound, green):
    """Which test catches a bug. A test is asked first, once, whether it is green without one."""
    for name, arguments in TESTS:
        if name not in green:
            write(tree, sound)
            red, said = is_red(tree, target, arguments)
            green[name] = not red
            if red:
                print(f"{name} fails without any bug and is left out: {said}", flush=True)
        if not green[name]:
            continue
        write(tree, sound)
        plant(tree, changes)
        red, said = is_red(tree, target, arguments)
        if red:
            return name, said
    return None, ""


def main(wanted):
    paths = sorted(PLANTS.glob("*.txt"))
    paths = [path for path in paths if not wanted or any(part in path.stem for part in wanted)]
    survived = 0
    # Beside each other, and both kept: in a target directory that is shared with the tree itself
    # one's binaries would pass for the other's.
    target = ROOT / "target" / "plants" / "target"
    tree = ROOT / "target" / "plants" / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    skip = shutil.ignore_patterns("target", ".git")
    # With new times: what an earlier run compiled may have had a bug in it.
    shutil.copytree(ROOT, tree, ignore=skip, copy_function=shutil.copyfile)
    green = {}
    for path in paths:
        title, changes = read_plant(path)
        begun = time.monotonic()
        sound = {name: (tree / name).read_text() for name, _, _ in changes}
        try:
            caught, said = hunt(tree, target, changes, sound, green)
        except ValueError as error:
            caught, said = None, str(error)
        write(tree, sound)
        took_s = time.monotonic() - begun
        survived += caught is None
        verdict = f"caught by {caught}" if caught else "SURVIVED"
        print(f"{path.stem:26} {verdict:22} {took_s:4.0f} s  {title}", flush=True)
        if said:
            print(f"{'':26} {said}", flush=True)
    print(f"{len(paths)} bugs, {survived} survived")
    return 1 if survived or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
