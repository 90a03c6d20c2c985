from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.answering.cleaning import harmless, visible


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\u200bb\u2060c\ufeff", "abc"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("\x1b[31mred\x07\x9b", "[31mred"),
        ("hid\U000e0041\U000e0042den", "hidden"),
        ("x\ufe0f\ufe0f\ufe01", "x"),
        ("z" + "\u0335" * 20, "z" + "\u0335" * 3),
        ("a\u200db", "ab"),
    ],
)
def test_what_nobody_sees_is_gone(raw: str, clean: str) -> None:
    assert visible(raw) == clean


@pytest.mark.parametrize(
    "text", ["👩\u200d👩\u200d👧 ❤️", "می\u200cخواهم", "क्\u200dष", "é ñ ü", "a\tb\nc"]
)
def test_what_scripts_and_emoji_need_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("![secret](https://evil.example/x.png)", "secret"),
        ("a <img src=//evil.example> b", "a  b"),
        ("<script>x</script>", "x"),
        ("<!-- hidden -->", ""),
        ("press <your key> now", "press ‹your key› now"),
        ("<!channel> <@U123> <#C1|x>", "  "),
        ("@here @Channel me@here.com", "here Channel me@here.com"),
        ("`a < b` and `<file>`", "`a < b` and `<file>`"),
        ("<https://shop.example>", "<https://shop.example>"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("1 < 2, x <- y, <help@shop.example>", "1 < 2, x <- y, <help@shop.example>"),
        ("14 days![1] Now.", "14 days![1] Now."),
        ("!![](x)[b](https://shop.example)", "[b](https://shop.example)"),
        ("!<b>[b](https://shop.example)", "[b](https://shop.example)"),
        ("<scr<b>ipt> <svg/onload=x> <img src='<'>", "‹script> ‹svg/onload=x> ‹img src='<'>"),
        ("<<b>!channel> @@here \uff20everyone", "‹!channel> here everyone"),
        ("`@group slow` and ``<b>` \\`<b>`", "`@group slow` and ``` \\``"),
    ],
)
def test_nothing_loads_pings_or_hides(raw: str, clean: str) -> None:
    assert harmless(raw) == clean


@given(st.text(max_size=200))
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)
