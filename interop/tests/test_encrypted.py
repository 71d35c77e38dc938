"""Encrypted tokens in Python: what the vectors hold is what a second implementation makes of the description."""

import json
from random import Random

import pytest
from conftest import INTEROP

import encrypted
from encrypted import Refused

VECTORS = INTEROP.parent / "crates/cloakroom/tests/vectors/encrypted.json"
ROWS = json.loads(VECTORS.read_text())
TOKENS = 2000


def keys(row):
    purpose = {field: row[field] for field in ("purpose", "name", "tenant")}
    secrets = row.get("secrets_hex") or [row["secret_hex"]]
    return [encrypted.key_of(bytes.fromhex(secret), **purpose) for secret in reversed(secrets)]


def test_the_vectors_are_what_the_script_gives():
    assert VECTORS.read_text() == encrypted.vectors(), "run `python interop/encrypted.py` into this file"


@pytest.mark.parametrize("row", ROWS["seal"], ids=lambda row: row["note"])
def test_it_opens_what_it_sealed(row):
    opened = encrypted.open_token(keys(row), row["token"].encode(), row["now"], row["leeway"])
    assert opened == {
        "key_index": row["sealed_by"],
        "content": bytes.fromhex(row["content_hex"]),
        "issued_at": row["issued_at"],
        "expires_at": row["expires_at"],
    }


@pytest.mark.parametrize("row", ROWS["refused"], ids=lambda row: row["note"])
def test_it_refuses_for_the_same_reason(row):
    with pytest.raises(Refused, match=f"^{row['error']}$"):
        encrypted.open_token(keys(row), row["token"].encode(), row["now"])


def random_purpose(random):
    purpose, name, tenant = (random.randbytes(random.choice([0, 1, 8, 14, 40])) for _ in range(3))
    return {"purpose": purpose, "name": name, "tenant": random.choice([None, b"", tenant])}


def random_content(random):
    length = random.choice([0, 1, 20, 44, 45, 46, 300, 3000])
    return random.choice([random.randbytes(length), (b"again and again " * 200)[:length]])


def as_hex(purpose):
    return {field: None if value is None else value.hex() for field, value in purpose.items()}


def test_what_python_seals_opens_here(peer, pytestconfig):
    random = Random(pytestconfig.getoption("seed"))
    questions, answers = [], []
    for _ in range(TOKENS):
        purpose, content = random_purpose(random), random_content(random)
        secrets = [random.randbytes(random.randrange(1, 200)) for _ in range(random.randrange(1, 4))]
        index, now, lifetime = random.randrange(len(secrets)), random.randrange(2**40), random.randrange(2**40)
        key = encrypted.derive(secrets[index], **purpose)
        block, compress = random.choice([0, 1, 16, 64, 1000]), random.random() < 0.5
        plaintext = encrypted.frame(content, now, now + lifetime, block, compress)
        token = encrypted.encrypt(key, random.randbytes(12), plaintext).decode()
        questions.append({
            "op": "unseal", **as_hex(purpose), "secrets": [s.hex() for s in secrets], "now": now, "token": token
        })
        answers.append({
            "content": {"content": content.hex(), "key_index": index, "issued_at": now, "expires_at": now + lifetime}
        })
    assert peer.ask(questions) == answers


def test_what_is_sealed_here_opens_in_python(peer, pytestconfig):
    random = Random(pytestconfig.getoption("seed") + 1)
    questions, contents, keys = [], [], []
    for _ in range(TOKENS):
        purpose, content, secret = random_purpose(random), random_content(random), random.randbytes(32)
        questions.append({
            "op": "seal", **as_hex(purpose), "secrets": [secret.hex()], "now": 1000, "expires_at": 2000,
            "block": random.choice([0, 1, 16, 64, 1000]), "compress": random.random() < 0.5, "content": content.hex(),
        })
        contents.append(content)
        keys.append(encrypted.derive(secret, **purpose))
    nonces = set()
    for question, content, key, answer in zip(questions, contents, keys, peer.ask(questions), strict=True):
        token = answer["cookie"].encode()
        opened = encrypted.open_token([key], token, 2000)
        assert opened == {"key_index": 0, "content": content, "issued_at": 1000, "expires_at": 2000}
        with pytest.raises(Refused, match="^expired$"):
            encrypted.open_token([key], token, 2001)
        # The same sealed with the nonce that was drawn gives the same token.
        nonce = encrypted.raw(token)[:12]
        plaintext = encrypted.frame(content, 1000, 2000, question["block"], question["compress"])
        assert encrypted.encrypt(key, nonce, plaintext) == token
        nonces.add(nonce)
    assert len(nonces) == TOKENS


def test_both_refuse_the_same_changed_tokens(peer, pytestconfig):
    random = Random(pytestconfig.getoption("seed") + 2)
    secret, purpose = random.randbytes(32), random_purpose(random)
    key = encrypted.derive(secret, **purpose)
    questions, answers = [], []
    for _ in range(TOKENS):
        # Half of them changed inside, under a good tag.
        plaintext = bytearray(encrypted.frame(random_content(random)[:300], 1000, 2000, random.choice([0, 16]), True))
        inside = random.random() < 0.5
        if inside:
            plaintext[random.randrange(len(plaintext))] ^= 1 << random.randrange(8)
        token = bytearray(encrypted.encrypt(key, random.randbytes(12), bytes(plaintext)))
        if not inside:
            token[random.randrange(len(token))] = random.choice(b"AZaz09-_=+/.v1 \0")
        token = bytes(token)
        try:
            opened = encrypted.open_token([key], token, 1500)
            opened["content"] = opened["content"].hex()
            answers.append({"content": opened})
        except Refused as refused:
            answers.append({"refused": str(refused)})
        questions.append({
            "op": "unseal", **as_hex(purpose), "secrets": [secret.hex()], "now": 1500, "token": token.decode()
        })
    assert peer.ask(questions) == answers
    kinds = {answer.get("refused") for answer in answers}
    assert kinds >= {None, "malformed", "undecryptable", "unknown_layout", "expired", "from_the_future", "payload"}
