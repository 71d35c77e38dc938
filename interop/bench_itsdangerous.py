"""Times real itsdangerous opening and saving Flask's session cookie, and prints the result as one JSON object.

To be read beside the numbers of `cargo bench -p cloakroom`, which has the same sessions. For each of them the object holds
`open_ns` and `save_ns`, the time of one operation in nanoseconds (the fastest of several runs), and the sizes.
"""

import json
import sys
import timeit
from hashlib import sha256

import oracle

KEY = "a secret key for the benches only"
NOW = 1_700_000_000


def visitor(size):
    """A visitor with a cart that brings the JSON to about `size` bytes; the same items as in the bench in Rust."""
    content = {"username": "alice", "visits": 3}
    item = 0
    while len(oracle.tagged.dumps(content)) + 60 < size:
        number = (item + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64
        rotated = (number << 29 | number >> 35) % 2**64
        content[f"item_{item:03}"] = (number, f"{rotated:016x}")
        item += 1
    return content


# Flask always compresses what becomes shorter by it, so these are the compressed ones.
SESSIONS = {
    "small": visitor(0),
    "1 KB compressed": visitor(1024),
    "3.5 KB compressed": visitor(3584),
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
