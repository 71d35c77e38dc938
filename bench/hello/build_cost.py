"""What it costs to build the smallest application that counts visits with Cloakroom and with each of its peers.

Prints JSON, one object for each of the folders here: how many crates its tree has (without itself, without what only build scripts and
tests need), how long a clean release build takes, and how large the program is. Needs cargo, and the network for the first time only.

    python3 bench/hello/build_cost.py [--repeat N]

With `--repeat` each is built so often, in turns, and the median is told.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ["cloakroom", "tower-sessions", "axum_session", "actix-session"]


def main():
    parser = argparse.ArgumentParser(description="Prints what building a hello-world costs, as JSON")
    parser.add_argument("--repeat", type=int, default=1)
    repeat = parser.parse_args().repeat
    for name in NAMES:
        cargo(name, "fetch", "--locked")
    builds = {name: [] for name in NAMES}
    for _ in range(repeat):
        for name in NAMES:
            builds[name].append(build(name))
    print(json.dumps([report(name, builds[name]) for name in NAMES], indent=2))


def report(name, builds):
    packages = tree(name)
    return {
        "name": name,
        "version": packages[name],
        "crates": len(packages) - 1,
        "seconds": round(statistics.median(seconds for seconds, _ in builds), 1),
        "bytes": builds[0][1],
    }


def tree(name):
    """The versions of the packages in the tree; of one that is there in two versions, both count."""
    printed = cargo(name, "tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}")
    packages = {}
    for line in printed.splitlines():
        package, version = re.match(r"(\S+) v(\S+)", line).groups()
        packages[package if packages.get(package, version) == version else f"{package} {version}"] = version
    return packages


def build(name):
    """Builds it in a new folder: seconds, and bytes of the program."""
    with tempfile.TemporaryDirectory(prefix="hello-") as target:
        start = time.monotonic()
        cargo(name, "build", "--release", "--locked", "--offline", "--quiet", f"--target-dir={target}")
        seconds = time.monotonic() - start
        program = Path(target, "release", "hello-" + name.replace("_", "-"))
        return seconds, program.stat().st_size


def cargo(name, *arguments):
    """Runs cargo in the folder, with none of the settings that the environment may hold for other builds."""
    kept = {key: value for key, value in os.environ.items() if not re.match(r"CARGO_(PROFILE|BUILD|TARGET)|RUSTFLAGS", key)}
    finished = subprocess.run(["cargo", *arguments], cwd=HERE / name, env=kept, check=True, text=True, stdout=subprocess.PIPE)
    return finished.stdout


if __name__ == "__main__":
    main()
