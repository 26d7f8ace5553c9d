"""How a report looks: on a screen, on a phone, on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --muted: #59636e; --line: #d5dae0; --tint: #f4f6f8; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem 1rem 3rem; color: var(--ink); background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 46rem; }
.about { color: var(--muted); }
.answer { font-size: 1.1rem; background: var(--tint); border-left: 4px solid #0072b2; padding: .6rem .9rem;
  margin: 1rem 0; max-width: none; }
.answer p { max-width: none; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid #0072b2; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .3rem .7rem .3rem 0; text-align: right; vertical-align: top; border-bottom: 1px solid
var(--line);
  white-space: nowrap; }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
.words td, .words th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.words th { white-space: nowrap; }
.second { display: block; }
.range { display: block; color: var(--muted); }
figure { margin: 1rem 0; break-inside: avoid; }
figure img { width: 100%; max-width: 50rem; height: auto; display: block; }
figcaption { color: var(--muted); font-size: .9rem; }
dl { margin: .3rem 0; }
dt { font-weight: 600; margin-top: .5rem; }
dt code { font-weight: 600; }
dd { margin: 0 0 0 1rem; max-width: 46rem; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@page { margin: 12mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; }
  table { font-size: 7pt; }
  th, td { padding: .15rem .4rem .15rem 0; }
  h2, h3, caption { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
