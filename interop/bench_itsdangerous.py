"""Times real itsdangerous opening and saving Flask's session cookie, and prints the result as one JSON object.

To be read beside the numbers of `cargo bench -p cloakroom`: the same three sessions, the same key, on the same machine.

    python interop/bench_itsdangerous.py            times in nanoseconds per operation, the best of several runs
"""

import json
import sys
import timeit
from hashlib import sha256

import oracle

KEY = "a-secret-key-for-benches-only!!!"
NOW = 1_700_000_000


def notes(size):
    """A session whose JSON is about `size` bytes, of text that zlib can only halve."""
    content = {"username": "alice", "visits": 3}
    number = 0
    while len(oracle.tagged.dumps(content)) < size - 44:
        content[f"note{number:03}"] = sha256(str(number).encode()).hexdigest()[:32]
        number += 1
    return content


SESSIONS = {
    "small": {"username": "alice", "visits": 3},
    "1k": notes(1024),
    "3.5k": notes(3584),
}


def nanoseconds(operation):
    """Time of one call: the fastest of seven runs of at least a tenth of a second."""
    timer = timeit.Timer(operation)
    rounds, _ = timer.autorange()
    return min(timer.repeat(7, rounds)) / rounds * 1e9


def measure():
    flask = oracle.serializer(KEY, ())
    results = {}
    for name, content in SESSIONS.items():
        cookie = oracle.dumps(content, KEY, NOW)
        results[name] = {
            "open_ns": round(nanoseconds(lambda cookie=cookie: flask.loads(cookie, max_age=oracle.THIRTY_ONE_DAYS))),
            "save_ns": round(nanoseconds(lambda content=content: flask.dumps(content))),
            "json_bytes": len(oracle.tagged.dumps(content)),
            "cookie_bytes": len(cookie),
        }
    return results


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
    print()
