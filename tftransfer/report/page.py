"""The report's page: style sheet, sorting script and skeleton, all inside one file."""

import html
import string

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6876; --paper: #ffffff;
  --sheet: #f5f7f9; --line: #dde3e9; --accent: #2a7f9e; --warm: #c4611a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #9aa6b3;
  --paper: #14181d; --sheet: #1c2229; --line: #303943; --accent: #5db4d3;
  --warm: #ee9a5a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 .75rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 44rem; margin: .4rem 0 .8rem; }
.soft { color: var(--soft); }
nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
a { color: var(--accent); }
.figures { display: grid; gap: .75rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fit, minmax(162px, 1fr)); }
.figures div { background: var(--sheet); border: 1px solid var(--line);
  border-radius: 10px; padding: .8rem 1rem; }
.figures b { display: block; font-size: 1.55rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; }
svg { max-width: 100%; height: auto; display: block; }
svg text { font-family: inherit !important; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: .92rem; }
th, td { padding: .32rem .8rem .32rem 0; text-align: right;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.pairs td:nth-child(2), .pairs th:nth-child(2) { text-align: left; }
.words td, .words th { text-align: left; vertical-align: top; }
.words td:first-child { white-space: nowrap; }
.words td:last-child { font-family: ui-monospace, Consolas, monospace;
  font-size: .85rem; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
thead button { all: unset; cursor: pointer; }
thead button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.bar { display: inline-block; width: 4rem; height: .5rem; margin-right: .6rem;
  border-radius: 3px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
.mistakes { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.twos { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); }
.twos > div { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; }
figure { margin: 0; break-inside: avoid; }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain;
  background: var(--sheet); border-radius: 8px; display: block; }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .35rem; }
figcaption .said { color: var(--warm); font-weight: 600; }
figcaption small { color: var(--soft); display: block; }
.attention td { padding: .5rem .8rem .5rem 0; vertical-align: top; border: 0; }
.attention th { text-align: left; padding-right: .8rem; }
.attention td, .attention figure { min-width: 7rem; max-width: 240px; }
.attention figcaption { text-align: left; }
.alarm { border-left: 4px solid var(--warm); background: var(--sheet);
  border-radius: 0 8px 8px 0; padding: .7rem 1rem; max-width: none; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }
@media print { nav, script { display: none; } body { max-width: none; padding: 0;
  font-size: 11pt; } h2 { break-after: avoid; } tr, svg, .figures div { break-inside:
  avoid; } .wide { overflow: visible; }
  :root { --ink: #000; --soft: #444; --paper: #fff; --sheet: #f5f7f9; --line: #ccc;
  --accent: #2a7f9e; --warm: #c4611a; color-scheme: light; } }
"""

_SCRIPT = """
for (const button of document.querySelectorAll("table.sortable button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const column = head.cellIndex, was = head.getAttribute("aria-sort");
    const up = was ? was === "descending" : head.dataset.first === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.value ?? row.cells[column].innerText;
    const rows = [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b), d = x - y;
      const order = Number.isNaN(d) ? x.localeCompare(y) : d;
      return up ? order : -order;
    });
    body.append(...rows);
  });
}
"""

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<div class="soft">$subtitle</div>
<nav>$links</nav>
</header>
<main>
$sections
</main>
<script>$script</script>
</body>
</html>
""")


def page(title: str, subtitle: str, sections: list[tuple[str, str, str]]) -> str:
    """Return the whole document.

    Args:
        title: Plain text.
        subtitle: Plain text.
        sections: (anchor, heading as plain text, body as HTML) each.
    """
    links = "\n".join(
        f'<a href="#{key}">{html.escape(heading)}</a>' for key, heading, _ in sections
    )
    bodies = "\n".join(
        f'<section id="{key}">\n<h2>{html.escape(heading)}</h2>\n{body}\n</section>'
        for key, heading, body in sections
    )
    return _PAGE.substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        links=links,
        sections=bodies,
        style=_STYLE,
        script=_SCRIPT,
    )


def table(
    head: list[str], rows: list[list[str]], *, kind: str = "", sortable: bool = False
) -> str:
    """Return a table; `head` is plain text, the cells of `rows` are whole `<td>`s.

    Args:
        head: Column names; none for a table without a heading.
        rows: Cells as HTML.
        kind: CSS class.
        sortable: Whether a click on a column's name sorts by it.
    """
    names = [html.escape(name) for name in head]
    if sortable:
        first = ["ascending"] + ["descending"] * (len(names) - 1)
        names = [
            f'<th scope="col" data-first="{order}"><button>{name}</button></th>'
            for name, order in zip(names, first)
        ]
    else:
        names = [f'<th scope="col">{name}</th>' for name in names]
    top = f"<thead><tr>{''.join(names)}</tr></thead>" if names else ""
    lines = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    classes = f"{kind} sortable" if sortable else kind
    return (
        f'<div class="wide"><table class="{classes}">{top}'
        f"<tbody>\n{lines}\n</tbody></table></div>"
    )


def cell(text, *, value: float | str | None = None) -> str:
    """Return a `<td>` of escaped `text`, sorted by `value` where given."""
    data = "" if value is None else f' data-value="{html.escape(str(value))}"'
    return f"<td{data}>{html.escape(str(text))}</td>"
