"""The time that real itsdangerous needs, to be read beside the benches of the library. Never judged: machines differ."""

import json
import subprocess
import sys

from conftest import INTEROP


def test_itsdangerous_is_timed_with_the_sessions_of_the_benches(capsys):
    done = subprocess.run([sys.executable, INTEROP / "bench_itsdangerous.py"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert list(results) == ["small", "1 KB compressed", "3.5 KB compressed"]
    with capsys.disabled():
        for name, result in results.items():
            print(f"\n  itsdangerous {name}: open {result['open_ns']:,} ns, save {result['save_ns']:,} ns", end="")
        print()
