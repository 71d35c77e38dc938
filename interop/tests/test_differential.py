"""Random sessions, both ways between real Flask and the library: equal to the byte.

The seed and the counts are printed; `--seed` and `--sessions` repeat or widen a run.
"""

import json
import zlib
from collections import Counter
from datetime import datetime
from random import Random

import oracle
import pytest
from itsdangerous import BadData
from itsdangerous.encoding import base64_decode, base64_encode
from sessions import same, session, text

BATCH = 1_000
NOW = 1_700_000_000
KEY, OLD_KEY = "the key that signs in this test", "a key that only verifies by now"


@pytest.fixture
def seed(pytestconfig):
    return pytestconfig.getoption("seed")


def batches(config):
    """Batches of (session, Flask's cookie of it), made afresh from the seed."""
    random, left = Random(config.getoption("seed")), config.getoption("sessions")
    while left > 0:
        made = [session(random) for _ in range(min(BATCH, left))]
        yield [(content, oracle.dumps(content, KEY, NOW)) for content in made]
        left -= len(made)


def report(capsys, seed, counts):
    with capsys.disabled():
        print(f"\n  seed {seed}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))


def untidy(random, content):
    """Tagged JSON as nobody writes it but everybody must read it: shuffled keys, spaces, raw UTF-8."""
    shuffled = dict(random.sample(sorted(content.items()), len(content)))
    tree = oracle.tagged.tag(shuffled)
    raw = json.dumps(tree, indent=random.choice([None, 1]), ensure_ascii=False)
    try:
        raw.encode()
        return raw
    except UnicodeEncodeError:  # halves of surrogate pairs travel only as escapes
        return json.dumps(tree, separators=(" , ", "\t: "))


def test_p1_what_flask_wrote_opens_here_and_is_written_back_with_the_same_bytes(peer, pytestconfig, seed, capsys):
    counts = Counter()
    for batch in batches(pytestconfig):
        questions = []
        for _, cookie in batch:
            opening = {"key": KEY, "now": NOW, "cookie": cookie}
            questions += [{"op": op, **opening} for op in ("loads", "touch", "rebuild")]
        answers = iter(peer.ask(questions))
        for content, cookie in batch:
            read = oracle.loads(cookie, KEY, NOW)
            again = oracle.dumps(read, KEY, NOW)
            assert next(answers) == {"session": oracle.tagged.dumps(dict(read))}, f"read of {content!r}"
            assert next(answers) == {"cookie": cookie}, f"untouched entries of {content!r}"
            assert next(answers) == {"cookie": again}, f"new entries of {content!r}"
            counts["sessions"] += 1
            counts["compressed" if cookie.startswith(".") else "plain"] += 1
            counts["over 4 KB"] += len(cookie) > 4096
            counts["bytes"] += len(cookie)
    report(capsys, seed, counts)
    assert counts["compressed"] and counts["plain"] and counts["over 4 KB"]


def test_p1_what_is_written_here_is_what_flask_writes_and_opens_there(peer, pytestconfig, seed, capsys):
    random, counts = Random(seed + 1), Counter()
    for batch in batches(pytestconfig):
        contents = [dict(oracle.loads(cookie, KEY, NOW)) for _, cookie in batch]
        answers = peer.ask(
            [{"op": "dumps", "key": KEY, "now": NOW, "session": untidy(random, content)} for content in contents]
        )
        for content, answer in zip(contents, answers, strict=True):
            assert answer == {"cookie": oracle.dumps(content, KEY, NOW)}, f"writing {content!r}"
            assert same(dict(oracle.loads(answer["cookie"], KEY, NOW)), content), f"Flask reading {content!r}"
            counts["sessions"] += 1
    report(capsys, seed, counts)


def test_sessions_with_fallback_keys_and_ages_are_judged_alike(peer, pytestconfig, seed, capsys):
    """Old keys, wrong keys, exact ages, and cookies changed in one place: same answer or same reason."""
    random, questions = Random(seed + 2), []
    for _ in range(2_000):
        cookie = oracle.dumps(session(random), random.choice([KEY, KEY, OLD_KEY, "a key that nobody knows here"]), NOW)
        at = random.randrange(len(cookie))
        spoiled = random.choice(
            [
                *[cookie] * 6,
                cookie[:at],
                cookie[:at] + random.choice("abcXYZ019-_.") + cookie[at + 1 :],
                cookie[:at] + "." + cookie[at:],
                cookie + random.choice(["=", ".", "A", "é"]),
                cookie.replace(".", "", 1),
                cookie.split(".")[-1],
            ]
        )
        age = random.choice([0, 1, 59, 60, 61, 3600, -1, -3600])
        questions.append(
            {
                "op": random.choice(["loads", "touch", "rebuild"]),
                "key": KEY,
                "fallbacks": random.choice([[], [OLD_KEY], ["older still, and unused here", OLD_KEY]]),
                "max_age": 60,
                "now": NOW + age,
                "cookie": spoiled,
            }
        )
    counts = Counter()
    for question, answer in zip(questions, peer.ask(questions), strict=True):
        expected = oracle.answer(question)
        if not canonical(question["cookie"]):
            counts["spellings that only Python takes"] += "refused" not in expected
            expected = {"refused": "bad_signature"}
        assert answer == expected, question
        counts[expected.get("refused", "opened")] += 1
    report(capsys, seed, counts)
    assert counts.keys() >= {"opened", "expired", "from_the_future", "bad_signature"}


def canonical(cookie):
    """Whether the signature is spelled as it is written. Python decodes other spellings too; here one is enough."""
    signature = cookie.rpartition(".")[2]
    try:
        return signature == base64_encode(base64_decode(signature)).decode()
    except BadData:
        return True  # no spelling of anything: refused by both


def test_cookie_headers_are_read_as_werkzeug_reads_them(peer, seed, capsys):
    random, questions = Random(seed + 3), []
    alphabet = 'ab=;" \\,\t01é🦀%$.'
    for _ in range(20_000):
        header = "".join(random.choices(alphabet, k=random.randrange(30)))
        if random.random() < 0.5:
            header = "; ".join(f"{text(random, 4)}={text(random, 8)}" for _ in range(random.randrange(4)))
            header = "".join(char for char in header if char.isprintable() and not "\ud800" <= char <= "\udfff")
        questions.append({"op": "parse_cookie", "header": header.encode().decode("latin1")})
    for question, answer in zip(questions, peer.ask(questions), strict=True):
        assert answer == oracle_through_json(question), question
    report(capsys, seed, {"Cookie headers": len(questions)})


def test_set_cookie_headers_are_written_as_werkzeug_writes_them(peer, seed, capsys):
    random, questions = Random(seed + 4), []
    for _ in range(5_000):
        value = text(random, 20)
        question = {
            "op": "dump_cookie",
            "name": random.choice(["username", "theme", "a", "x-y_z"]),
            "value": "".join(char for char in value if char.isprintable() and not "\ud800" <= char <= "\udfff"),
            "now": NOW,
        }
        for name, values in {
            "max_age": [0, 1, 3600, 86_400 * 365],
            "path": ["/", "/app", "/a b"],
            "domain": ["example.com", ".example.com", "exämple.com"],
            "secure": [True, False],
            "httponly": [True, False],
            "samesite": ["Lax", "Strict"],
            "partitioned": [False, True],
        }.items():
            if random.random() < 0.4:
                question[name] = random.choice(values)
        questions.append(question)
    for question, answer in zip(questions, peer.ask(questions), strict=True):
        assert answer == oracle.answer(question), question
    report(capsys, seed, {"Set-Cookie headers": len(questions)})


HALF = '{"a\\udc00":1,"\\ud800":{"\\udfff":"\\udbff\\ud800"}}'


def test_keys_with_half_a_surrogate_pair_keep_their_bytes(peer):
    """No handler can name such a key here, but what Flask stored under it stays."""
    cookie = oracle.dumps(oracle.tagged.loads(HALF), KEY, NOW)
    opening = {"key": KEY, "now": NOW, "cookie": cookie}
    answers = peer.ask([{"op": "loads", **opening}, {"op": "touch", **opening}])
    assert answers == [{"session": HALF}, {"cookie": cookie}]


def test_what_is_signed_but_no_session_is_refused(peer):
    """Flask answers 500 to these; here each is an empty session and a reason."""
    signer = oracle.serializer(KEY, ()).make_signer()
    oracle.StoppedClock.now = NOW
    payloads = [b"", b"W10x", b".AAAA", b"e30", b"MQ", base64_encode('{"a":'), base64_encode(b'{"a":"\xff"}')]
    payloads += [base64_encode("[" * 5_000 + "]" * 5_000), b"." + base64_encode(zlib.compress(b" " * 50_000_000))]
    answers = peer.ask(
        [{"op": "loads", "key": KEY, "now": NOW, "cookie": signer.sign(payload).decode()} for payload in payloads]
    )
    bad = {"refused": "bad_payload"}
    opened = {"session": "{}"}
    assert answers == [bad, bad, bad, opened, bad, bad, bad, {"refused": "too_deep"}, {"refused": "too_large"}]


def test_every_value_type_is_among_the_random_sessions(pytestconfig):
    """A generator that forgot a type would prove nothing about it."""
    seen = set()

    def look(value):
        naive = isinstance(value, datetime) and value.tzinfo is None
        seen.add("naive datetime" if naive else type(value).__name__)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            look(item)

    random = Random(pytestconfig.getoption("seed"))
    for _ in range(1_000):
        look(session(random))
    expected = "NoneType bool int float str bytes list tuple dict Markup UUID datetime".split()
    assert seen == {*expected, "naive datetime"}


def oracle_through_json(question):
    """The oracle's answer as it looks after its own way through JSON: tuples become lists."""
    return json.loads(json.dumps(oracle.answer(question)))
