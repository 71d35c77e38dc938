"""Encrypted tokens in Python: what the vectors hold is what a second implementation makes of the description."""

import json
import os

import pytest
from conftest import INTEROP

import encrypted
from encrypted import Refused

VECTORS = INTEROP.parent / "crates/cloakroom/tests/vectors/encrypted.json"
ROWS = json.loads(VECTORS.read_text())


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


def test_random_tokens_go_round():
    key = encrypted.derive(os.urandom(32), os.urandom(8), os.urandom(8), os.urandom(8))
    for length in range(200):
        content = os.urandom(length)
        plaintext = encrypted.frame(content, 1, 2, block=length % 70, compress=bool(length % 2))
        token = encrypted.encrypt(key, os.urandom(12), plaintext)
        assert encrypted.open_token([key], token, 2)["content"] == content
