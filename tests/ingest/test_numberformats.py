from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers.numberformats import shown


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1234.5, "General", "1234.5"),
        (1 / 3, "General", "0.3333333333"),
        (3.0, "", "3"),
        (2.5, "0", "3"),
        (1.005, "0.00", "1.01"),
        (1234.5, "#,##0.00", "1,234.50"),
        (5, "0.##", "5"),
        (42, "00000", "00042"),
        (0.2565, "0.0%", "25.7%"),
        (12345, "0.00E+00", "1.23E+04"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (-5, '"$"#,##0.00', "-$5.00"),
        (-5, "#,##0.00_);(#,##0.00)", "(5.00)"),
        (0, '0;-0;"none"', "none"),
        (1234.5, '#,##0.00\\ "€"', "1,234.50 €"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (-7, '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-', "-7.00 €"),
        (150, '[>100]"many";0', "many"),
        (50, '[>100]"many";0', "50"),
        (5551234, "000-0000", "555-1234"),
        (3, '[Red]0 "users"', "3 users"),
        (0.5, "# ?/?", "0.5"),
    ],
)
def test_a_number_reads_as_its_cell_shows_it(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("yyyy-mm-dd hh:mm", "2024-03-05 18:04"),
        ("dd.mm.yyyy", "05.03.2024"),
        ("m/d/yy h:mm AM/PM", "3/5/24 6:04 PM"),
        ("[$-F800]dddd, mmmm dd, yyyy", "Tuesday, March 05, 2024"),
        ("d-mmm-yy", "5-Mar-24"),
        ("hh:mm:ss.0", "18:04:30.0"),
        ("mm:ss", "04:30"),
        ('yyyy"年"m"月"d"日"', "2024年3月5日"),
        ("[h]:mm", "1088562:04"),
    ],
)
def test_a_date_reads_as_its_cell_shows_it(code: str, text: str) -> None:
    assert shown(45356 + (18 * 3600 + 4 * 60 + 30) / 86400, code) == text


def test_days_may_be_counted_from_1904() -> None:
    assert shown(0, "yyyy-mm-dd", is_1904=True) == "1904-01-01"


def test_what_is_no_day_is_a_number() -> None:
    assert shown(-1, "yyyy-mm-dd") == "-1"
    assert shown(3e6, "yyyy-mm-dd") == "3000000"


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12),
    st.text('0#?.,%;"\\_*[]$€-hmsdyE+ AP/@x', max_size=20),
)
def test_any_format_gives_one_line_of_text(value: float, code: str) -> None:
    assert "\n" not in shown(value, code)
