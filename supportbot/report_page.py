"""The report as one HTML page: nothing is loaded, nothing runs, everything is escaped. Pure."""

from __future__ import annotations

from html import escape

from supportbot.report import Report, dollars, sections

STYLE = """
:root { color-scheme: light dark; --line: #8884; --muted: #71778a; --accent: #3340b8; }
@media (prefers-color-scheme: dark) { :root { --accent: #a5b0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem; }
p { margin: .5rem 0 0; color: var(--muted); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0 0; }
dl div { border: 1px solid var(--line); border-radius: .75rem; padding: .75rem 1rem; }
dt { color: var(--muted); font-size: .85rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .5rem 0; vertical-align: top; }
td:first-child { color: var(--accent); font-variant-numeric: tabular-nums; padding-right: 1rem;
  white-space: nowrap; width: 1%; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(report: Report) -> str:
    """Return the page."""
    days = f"{report.begins:%Y-%m-%d} to {report.ends:%Y-%m-%d}"
    cards = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in _figures(report).items()
    )
    outcomes = ", ".join(f"{count} {name}" for name, count in report.outcomes.items()).replace(
        "_", " "
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>Report, {escape(days)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>What became of the questions</h1>\n<p>{escape(days)}</p>\n<dl>{cards}</dl>\n"
        f"<p>{escape(outcomes)}</p>\n{_tables(report)}</body>\n</html>\n"
    )


def _figures(report: Report) -> dict[str, str]:
    share = "–" if report.answered_share is None else f"{report.answered_share:.0%}"
    return {
        "Questions": str(report.questions),
        "Answered": share,
        "Thumbs up / down": f"{report.feedback['up']} / {report.feedback['down']}",
        "Cost": dollars(report.cost_usd),
        "Cost per answered question": dollars(report.cost_per_answered_usd),
        "Time to the answer, p95": f"{report.latency_ms['p95'] / 1000:.1f} s",
    }


def _tables(report: Report) -> str:
    parts = []
    for title, rows in sections(report).items():
        body = "".join(
            f"<tr><td>{escape(count)}</td><td>{escape(text)}</td></tr>" for count, text in rows
        )
        parts.append(f"<h2>{escape(title)}</h2>\n<table>{body}</table>\n")
    return "".join(parts)
