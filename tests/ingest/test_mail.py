from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import DocumentEmpty, ParseFailed
from tests.ingest.raw import parsed

HEAD = b"""\
Received: from mx.example by mail.example; Wed, 4 Mar 2026 09:00:01 +0000
From: Jane Doe <jane@example.com>
To: support@acme.example
Cc: boss@example.com
Subject: =?utf-8?q?Re=3A_Gr=C3=B6=C3=9Fe_=C3=A4ndern?=
Date: Wed, 4 Mar 2026 10:00:00 +0100
"""
MULTIPART = (
    HEAD
    + b"""\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: multipart/alternative; boundary="c"

--c
Content-Type: text/html; charset=utf-8

<p>HTML</p>
--c
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Open Settings and change the Gr=F6=DFe.
--c--
--b
Content-Type: application/pdf; name="manual.pdf"
Content-Disposition: attachment; filename="manual.pdf"
Content-Transfer-Encoding: base64

AAAA
--b--
"""
)


def text(body: str, kind: str = "text/plain; charset=utf-8") -> str:
    return parsed("a.eml", HEAD + f"Content-Type: {kind}\n\n{body}".encode()).text


def test_a_mail_is_its_words_under_its_subject_and_date() -> None:
    mail = parsed("a.eml", MULTIPART)
    assert mail.title == "Größe ändern"
    assert mail.modified_at == "2026-03-04T10:00:00+01:00"
    assert mail.text == "Open Settings and change the Größe.\n\nAttached, not read: manual.pdf\n"


def test_no_address_of_the_head_is_in_the_text() -> None:
    assert "@" not in parsed("a.eml", MULTIPART).text


def test_html_is_read_where_there_is_no_plain_text() -> None:
    assert text("<h2>Steps</h2><p>Open <b>it</b>.<script>x</script>", "text/html") == (
        "## Steps\n\nOpen **it**.\n"
    )


@pytest.mark.parametrize(
    "history",
    [
        "On Tue, 3 Mar 2026 at 09:00, Bob <bob@example.com> wrote:\n> How?\n>\n> > Why?\n",
        "On Tue, 3 Mar 2026 at 09:00, Robert Longname\n<bob@example.com> wrote:\n\n> How?\n",
        "Am 3. März 2026 um 09:00 schrieb Bob <bob@example.com>:\n> Wie?\n",
        "-----Original Message-----\nFrom: Bob <bob@example.com>\nSent: Tuesday\n\nHow?\n",
        "From: Bob <bob@example.com>\nSent: Tuesday\nTo: Jane\nSubject: x\n\nHow?\n",
        "-- \nJane Doe\nAcme, +1 555 0100\n",
        "--\nJane Doe\n",
        "\nSent from my iPhone\n",
        "-- \nJane\n\nOn Tue, 3 Mar 2026 at 09:00, Bob <bob@example.com> wrote:\n> How?\n",
    ],
)
def test_quoted_history_and_signature_are_trimmed(history: str) -> None:
    assert text(f"Press it.\n\n{history}") == "Press it.\n"


def test_an_answer_between_quoted_lines_keeps_them_without_who_wrote_them() -> None:
    answers = "> How?\n\nLike this.\n\n> When?\n\nNow.\n"
    assert text(f"On Tue, 3 Mar 2026, Bob <bob@example.com> wrote:\n{answers}") == answers


def test_a_mail_that_only_forwards_is_kept() -> None:
    body = "-----Original Message-----\nPress the button.\n"
    assert "Press the button." in text(body)


def test_flowed_lines_are_joined() -> None:
    body = "One \nline.\nTwo.\n"
    assert text(body, "text/plain; charset=utf-8; format=flowed") == "One line.\nTwo.\n"


@pytest.mark.parametrize("charset", ["x-unknown", "utf-8", "us-ascii", "utf-16", '"'])
def test_a_wrong_charset_is_told_from_the_bytes(charset: str) -> None:
    head = HEAD + f"Content-Type: text/plain; charset={charset}\n\n".encode()
    mail = parsed("a.eml", head + "Die Größe ändern Sie in den Einstellungen.".encode("cp1252"))
    assert mail.text == "Die Größe ändern Sie in den Einstellungen.\n"


def test_mails_in_a_mail_are_named_and_not_read() -> None:
    inner, outer = EmailMessage(), EmailMessage()
    inner.set_content("SECRET")
    outer["Subject"] = "Outer"
    outer.set_content("Mine.")
    outer.add_attachment(inner)
    mail = parsed("a.eml", outer.as_bytes())
    assert mail.text == "Mine.\n\nAttached, not read: a mail\n"


def test_a_mail_without_words_is_empty_and_other_files_are_no_mail() -> None:
    with pytest.raises(DocumentEmpty):
        parsed("a.eml", HEAD + b"\n \n")
    with pytest.raises(ParseFailed, match="no headers"):
        parsed("a.eml", b"Just some text\nand more")


@pytest.mark.parametrize(
    "head",
    [
        b"Subject: =?x?q?=ff?= =?\r\nFrom: <<>>,;@\r\n",
        b"Subject: a\0b\xff\r\nDate: Wed, 99 Foo 99999 99:99:99 +9999\r\n",
        b"Subject: x\r\nContent-Type: multipart/mixed\r\n",
        b'Subject: x\r\nContent-Type: multipart/mixed; boundary=""\r\n',
        b"Subject: x\r\nContent-Type: text/plain; charset*=x''%ff; name*0*=a\r\n",
        b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n",
        b"Subject: x\r\nContent-Type: ;;;\r\nContent-Disposition: ;=;\r\n",
    ],
)
def test_broken_mime_is_read_or_refused(head: bytes) -> None:
    try:
        assert parsed("a.eml", head + b"\r\nBody of it.\r\n").text
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017


LINES = st.sampled_from([*MULTIPART.split(b"\n"), b"Content-Type: message/rfc822", b"> x"])


@settings(max_examples=150)
@given(st.lists(LINES | st.binary(max_size=12), max_size=40))
def test_any_mail_is_read_or_refused(lines: list[bytes]) -> None:
    try:
        parsed("a.eml", b"Subject: x\n" + b"\n".join(lines))
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
