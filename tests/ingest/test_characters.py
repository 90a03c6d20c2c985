from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from ingest.parsers.characters import clean, decode

GERMAN = "Über die Größe: 30 Tage, ein Café später"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_read_in_the_encoding_it_was_saved_in(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Привет, это справка о продукте. Нажмите кнопку."),
        ("shift_jis", "これはヘルプページです。ボタンを押してください。"),
        ("gb18030", "请按按钮重置密码。这是帮助页面。"),
        ("cp932", "設定を開く"),
        ("euc_jp", "パスワードをリセットするには、設定画面を開いてください。"),
        ("iso2022_jp", "パスワードをリセットするには、設定画面を開いてください。"),
        ("utf-16-le", "パスワードを リセットする。\n設定画面を開いてください。\n"),
        ("utf-16-be", "要重置密码， 请打开设置页面。\n这是帮助中心的文章。\n"),
        ("koi8-r", "Привет! Пароль сброшен."),
        ("koi8-u", "Щоб скинути пароль, відкрийте налаштування."),
        ("cp866", "Чтобы сбросить пароль, нажмите кнопку."),
        ("cp1255", "כדי לאפס את הסיסמה, פתחו את ההגדרות ולחצו על הכפתור הירוק."),
        ("cp1253", "Για να επαναφέρετε τον κωδικό σας, ανοίξτε τις ρυθμίσεις."),
        ("latin-1", "Réinitialisez votre mot de passe à l'aide du lien reçu."),
        ("cp1252", "¿Cómo restablezco mi contraseña? Pulse «Enviar»."),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Otevřete nastavení."),
        ("big5", "要重設密碼，請開啟設定頁面並點擊按鈕。這是說明中心的文章。"),
        ("cp949", "비밀번호를 재설정하려면 설정 페이지를 열고 버튼을 누르세요."),
        ("utf-16-le", "No byte-order mark, as some exports have it, in a line of fair length"),
    ],
)
def test_other_scripts_are_told_apart_without_a_mark(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, b"ab\0\0\0\x01cd"])
def test_binary_content_is_refused(data: bytes) -> None:
    with pytest.raises(ParseFailed, match="not a text file"):
        decode(data)


def test_a_cut_utf_16_file_is_refused_with_its_place() -> None:
    with pytest.raises(ParseFailed, match="utf-16"):
        decode(b"\xff\xfea")


@pytest.mark.parametrize(
    "seen",
    [
        "👩‍👩‍👧 and ❤️‍🔥 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "می‌خواهم",
        "naïve — “quoted” … 日本語 ok\tdone",
        "e\u0301 is one letter",
    ],
)
def test_what_shapes_the_seen_text_stays(seen: str) -> None:
    assert clean(seen) == unicodedata.normalize("NFC", seen)


@pytest.mark.parametrize(
    ("hidden", "left"),
    [
        ("a\u200bb\u2060c\ufeffd", "abcd"),
        ("a\u202eb\u2066c\u200f", "abc"),
        ("a\x07b\x9bc\x1b[31mred\x1b[0m", "abcred"),
        ("a\U000e0041\U000e0042b", "ab"),
        ("a\ufe0f\ufe01\ufe02\ufe03b", "a\ufe0fb"),
        ("a\u200d\u200d\u200c\u200db", "a\u200db"),
        ("one\r\ntwo\rthree\u2028four\x0cfive", "one\ntwo\nthree\nfour\nfive"),
        ("one\n \n\t\n\n\ntwo", "one\n\ntwo"),
    ],
)
def test_what_no_reader_sees_goes(hidden: str, left: str) -> None:
    assert clean(hidden) == left


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.binary(max_size=400))
def test_any_bytes_are_text_or_a_reason(data: bytes) -> None:
    try:
        assert isinstance(decode(data), str)
    except ParseFailed as error:
        assert str(error)  # noqa: PT017
