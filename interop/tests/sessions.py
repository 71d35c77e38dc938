"""Random sessions of every type that Flask's cookie can hold, from a seed, and what makes two of them the same."""

import math
import struct
import uuid
from datetime import datetime, timedelta, timezone

from markupsafe import Markup

TAG_LIKE = [" t", " b", " m", " u", " d", " di", " x", " t__", " di__", " ", "t", "_permanent", "_flashes", ""]
WORDS = "username visits cart theme Grüße 名前 🦀 naïve csrf_token last_seen items".split()
# Where JSON text is hard: quotes, controls, DEL, line separators, the edges of UTF-16, halves of surrogate pairs.
EDGES = [*map(chr, range(32)), *'"\\/<>&\x7f\x80\u2028\u2029\ufeff\uffff\U00010000\U0010ffff', "\ud800", "\udbff", "\udc00", "\udfff"]
FLOATS = [0.0, -0.0, 1.0, 0.1, 1e16, 1e15, 9999999999999998.0, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 2.5e-8, 123456789.125, math.inf, -math.inf, math.nan]
INTS = [0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 2**80, -(2**80), 10**30]


def text(random, longest=24):
    length = random.randrange(longest + 1)
    match random.randrange(5):
        case 0 | 1:
            return "".join(random.choices("abcdefghijklmnopqrstuvwxyz ABC0123456789-_.", k=length))
        case 2:
            return random.choice(WORDS)
        case 3:
            return "".join(chr(code) for code in (random.randrange(0x110000) for _ in range(length)))
        case _:
            return "".join(random.choice(EDGES) if random.random() < 0.5 else chr(random.randrange(0x20, 0x500)) for _ in range(length))


def number(random):
    match random.randrange(5):
        case 0:
            return random.choice(INTS)
        case 1:
            return random.randrange(-(2 ** random.randrange(1, 81)), 2 ** random.randrange(1, 81))
        case 2:
            return random.choice(FLOATS)
        case 3:
            return struct.unpack("<d", random.randbytes(8))[0]  # any float there is, NaNs included
        case _:
            return round(random.uniform(-1e6, 1e6), random.randrange(6))


def moment(random):
    at = datetime(random.randrange(2, 9999), random.randrange(1, 13), random.randrange(1, 29)) + timedelta(
        seconds=random.randrange(86_400), microseconds=random.choice([0, 0, 1, 999_999])
    )
    match random.randrange(3):
        case 0:
            return at
        case 1:
            return at.replace(tzinfo=timezone.utc)
        case _:
            return at.replace(tzinfo=timezone(timedelta(minutes=random.randrange(-14 * 60, 14 * 60 + 1))))


SCALARS = [
    lambda random: None,
    lambda random: random.random() < 0.5,
    number,
    number,
    text,
    text,
    text,
    lambda random: random.randbytes(random.randrange(40)),
    lambda random: Markup(text(random)),
    lambda random: uuid.UUID(int=random.getrandbits(128)),
    moment,
]


def keys(random, count):
    """Keys of one dict; all of one kind, as Flask sorts them."""
    match random.randrange(12):
        case 0:
            return random.sample(range(-500, 500), count)
        case 1:
            return [round(random.uniform(-100, 100), 2) for _ in range(count)]
        case 2 if count == 1:
            return [random.choice([None, True, False])]
        case _:
            return [random.choice(TAG_LIKE) if random.random() < 0.25 else text(random, 12) for _ in range(count)]


def value(random, depth=0):
    if depth >= 5 or random.random() < 0.65:
        return random.choice(SCALARS)(random)
    count = random.choice([0, 1, 1, 2, 3, 5])
    match random.randrange(3):
        case 0:
            return [value(random, depth + 1) for _ in range(count)]
        case 1:
            return tuple(value(random, depth + 1) for _ in range(count))
        case _:
            return {key: value(random, depth + 1) for key in keys(random, count)}


def filler(random):
    """What makes a session large: text that compresses well, badly or not at all."""
    length = random.randrange(100, 6_000)
    match random.randrange(3):
        case 0:
            return (text(random) + "item ") * (length // 25)
        case 1:
            return random.randbytes(length * 3 // 4)
        case _:
            return [{"id": n, "title": text(random), "price": number(random)} for n in range(length // 60)]


def whole(key):
    """Without halves of surrogate pairs: handlers name the keys of a session in text that has none."""
    return key.encode(errors="ignore").decode()


def session(random):
    """One session: mostly small, one in ten up to 8 KB; never empty."""
    content = {}
    for _ in range(random.choice([1, 1, 2, 3, 4, 6, 10])):
        key = random.choice(TAG_LIKE[:-3]) if random.random() < 0.1 else text(random, 12)
        content[whole(key)] = value(random)
    if random.random() < 0.15:
        content["_permanent"] = random.random() < 0.8
    if random.random() < 0.15:
        content["_flashes"] = [
            (random.choice(["message", "success", "error", text(random)]), random.choice([text, lambda r: Markup(text(r)), value])(random))
            for _ in range(random.randrange(1, 4))
        ]
    if random.random() < 0.1:
        content["filler"] = filler(random)
    return content


def same(one, other):
    """Equal in value and in type, all the way down; NaN is itself and -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return struct.pack("<d", one) == struct.pack("<d", other) or (math.isnan(one) and math.isnan(other))
        case dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case datetime():
            return one == other and one.utcoffset() == other.utcoffset()
        case _:
            return one == other
