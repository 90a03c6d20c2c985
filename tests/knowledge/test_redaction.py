from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.redaction import CARD, EMAIL, IBAN, KEY, PHONE, everything, keys, masked, redact

PLACEHOLDERS = (CARD, EMAIL, IBAN, KEY, PHONE)
# Made of parts, so that no scanner of secrets takes this file for a leak.
ALNUM = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
KEYS = {
    "aws-access-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github-token": "ghp_" + ALNUM + "abcd",
    "gitlab-token": "glpat-" + "x1y2z3a4b5c6d7e8f9g0",
    "slack-token": "xoxb-" + "123456789012-1234567890123-" + ALNUM[:24],
    "slack-webhook": "https://hooks.slack.com/services/" + "T00000000/B00000000/" + ALNUM[:24],
    "stripe-key": "sk_live_" + ALNUM[:24],
    "model-key": "sk-proj-" + ALNUM,
    "google-key": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "sendgrid-key": "SG." + ALNUM[:22] + "." + ALNUM + "abcdefghijk",
    "npm-token": "npm_" + ALNUM + "abcd",
    "pypi-token": "pypi-" + ALNUM * 2,
    "huggingface-token": "hf_" + ALNUM,
    "databricks-token": "dapi" + "0123456789abcdef" * 2,
    "notion-token": "ntn_" + ALNUM + "abcdefgh",
    "azure-key": "AccountKey=" + ALNUM * 2 + "==",
    "telegram-token": "123456789:AA" + ALNUM + "a",
    "bearer-token": "Authorization: Bearer " + ALNUM[:24],
    "address-password": "postgres://admin:" + "s3cretPass99@db.example.com/x",
    "assigned-secret": 'api_key = "' + ALNUM + '"',
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\nabcd\n"
    "-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize(("rule", "text"), KEYS.items())
def test_a_key_is_masked_and_its_kind_is_known(rule: str, text: str) -> None:
    clean, _, found = masked(f"Use it so: {text} and go on.", keys)
    assert [one.rule for one in found] == [rule]
    assert KEY in clean
    assert clean.endswith(" and go on.")
    assert not re.search(r"\w{16}|s3cret", clean.replace(rule, ""))


def test_a_private_key_without_an_end_takes_its_lines_and_no_more() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0B\n" * 3 + "\nThen restart it."
    assert redact(text) == "[key]Then restart it."


PERSONAL = [
    ("Write to jane.doe+help@example.co.uk today.", EMAIL),
    ("jörg.müller@bücher.example", EMAIL),
    ("<a.b@c-d.museum>", EMAIL),
    ("mailto:sales@example.com?subject=x", EMAIL),
    ("Call +49 30 901820 now", PHONE),
    ("Call +49 (0)30 / 90 18 20", PHONE),
    ("+1 415 555 2671", PHONE),
    ("+1 (415) 555-2671", PHONE),
    ("+14155552671", PHONE),
    ("+44 20 7946 0958", PHONE),
    ("+33 1 23 45 67 89", PHONE),
    ("+34 912 345 678", PHONE),
    ("0049 30 901820", PHONE),
    ("(415) 555-2671", PHONE),
    ("415-555-2671", PHONE),
    ("415.555.2671", PHONE),
    ("1-800-827-1000", PHONE),
    ("030 / 901820", PHONE),
    ("0171 1234567", PHONE),
    ("0171/1234567", PHONE),
    ("01 23 45 67 89", PHONE),
    ("020 7946 0958", PHONE),
    ("06-12345678", PHONE),
    ("Tel. 91 123 45 67", PHONE),
    ("Phone: 901820", PHONE),
    ("Fax number: 555 1234", PHONE),
    ("Telefon 43 1 58858", PHONE),
    ("4111 1111 1111 1111", CARD),
    ("5555-5555-5555-4444", CARD),
    ("378282246310005", CARD),
    ("6011111111111117", CARD),
    ("30569309025904", CARD),
    ("3530111333300000", CARD),
    ("2223003122003222", CARD),
    ("DE89 3704 0044 0532 0130 00", IBAN),
    ("DE89370400440532013000 BIC COBADEFFXXX", IBAN),
    ("GB82 WEST 1234 5698 7654 32", IBAN),
    ("FR14 2004 1010 0505 0001 3M02 606", IBAN),
    ("NL91ABNA0417164300", IBAN),
    ("CH93 0076 2011 6238 5295 7", IBAN),
]


@pytest.mark.parametrize(("text", "placeholder"), PERSONAL)
def test_personal_data_is_replaced(text: str, placeholder: str) -> None:
    clean = redact(text)
    assert placeholder in clean
    assert len(re.findall(r"\d", clean)) <= 1


HARMLESS = """
Order 4111111111111112 was sent.
Order number 123-4567890-1234567
Invoice 2024-000123 of 12.03.2024
Version 2.10.3 follows 2.9.12
Python 3.11.7 and numpy 2.4
192.168.100.200 is a private address
Listen on 127.0.0.1:8080
The net is 10.0.0.0/8, fe80::1 is local
It costs 1,234,567.89 EUR
From 9:00 to 17:30
On 01/02/2024 10:30 it began
2026-03-04T12:30:00+01:00
2026-03-04 12:30:00
01-02-2024
1 000 000 000 records
Room 0171
EAN 4006381333931
ISBN 978-3-16-148410-0
ISBN 0-306-40615-2
SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
id 550e8400-e29b-41d4-a716-446655440000
commit 68f001f37b2a
Form 1040, line 12345
10 U.S.C. 1552
ZIP 94103-1234
49 percent of 2,000
Ticket #415-555-2671
git clone git@github.com:owner/name.git
npm install @scope/package@1.2.3
icon@2x.png
user@localhost
Set SLACK_BOT_TOKEN to xoxb-...
export RUNAPI_KEY=...
xoxb-your-bot-token-goes-here
token: YOUR_TOKEN_GOES_HERE_PLEASE
password = "correct horse battery staple"
The token is kept in ~/.config/supportbot/token-file-of-the-bot
sk-your-api-key-goes-right-here
https://user:password@example.com/
https://${USER}:${PASSWORD_1234}@example.com
GB00 is no account
DE89 3704 0044 0532 0130 01
Chapter 00 11 22
1.2.3.4.5.6.7
3.14159265358979
+5 % and +10 % and -3 %
C++ 11, 14, 17 and 20
100 200 300 400 500
Size 10 x 20 x 30
+-1.5
16 GB of memory, 4096 tokens
5000000000000000
Step 0 of 10
0.0.0.0/0
008 agents
RFC 2119 and RFC 8174
from 2010 to 2020 and 2021-2025
[email], [phone], [card], [iban] and [key]
key-value pairs, secret-shaped strings
The call costs 12 cents a minute
Call 3 people
phone 12
Titles 10 and 38, parts 3 and 17
""".strip().splitlines()


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_places_move_with_the_text() -> None:
    text = "Ask a@example.com.\n\n## Next\n\nOr b@example.com.\n\n## Last\n"
    places = (text.index("## Next"), text.index("## Last"), len(text))
    clean, moved, found = masked(text, everything, places)
    assert [clean[place : place + 7] for place in moved] == ["## Next", "## Last", ""]
    assert moved[-1] == len(clean)
    assert [one.rule for one in found] == ["email", "email"]


PIECES = st.sampled_from(
    [text for text, _ in PERSONAL]
    + list(KEYS.values())
    + HARMLESS
    + ["\n", " ", ".", "-", "+", "0"]
)
NOISE = st.text("0123456789 +-./()@:=abcDE\n[]", max_size=12)


@given(st.lists(PIECES | NOISE, max_size=8).map("".join))
def test_doing_it_twice_changes_nothing(text: str) -> None:
    clean = redact(text)
    assert redact(clean) == clean


@given(st.text(max_size=300) | st.lists(PIECES | NOISE, max_size=8).map("".join))
def test_a_text_grows_by_no_more_than_its_placeholders(text: str) -> None:
    clean = redact(text)
    held = sum(clean.count(name) * len(name) for name in PLACEHOLDERS)
    assert len(clean) <= len(text) + held


@given(
    st.text(st.characters(exclude_categories=("Nd", "Cs"), exclude_characters="@-"), max_size=300)
)
def test_a_text_without_digits_at_signs_and_dashes_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["glpat-" * 16_000, "sk-." * 25_000, "eyJ" * 33_000])
def test_many_beginnings_of_keys_are_looked_through_at_once(text: str) -> None:
    began = time.process_time()
    assert redact(text) == text
    assert time.process_time() - began < 3
