"""The style sheet of the report: light, dark and print, no font or image from elsewhere."""

STYLE = (
    """
:root { color-scheme: light dark;
  --page: #ffffff; --ink: #1c2430; --soft: #5b6675; --rule: #dde2e9; --panel: #f5f7fa; --good: #14713d; --bad: #a8321f;
  --s0: #2a63c4; --s1: #c46a13; --s2: #157f78; --s3: #8b4bb3; --s4: #a8321f; --s5: #8a94a3; --mark: #fff2c4; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14181e; --ink: #e4e8ee; --soft: #9aa5b4; --rule: #323a45; --panel: #1d232b; --good: #63c98c; --bad: #ef8a76;
  --s0: #7aa7f7; --s1: #eba55a; --s2: #5cc8be; --s3: #c79be6; --s4: #ef8a76; --s5: #7d8897; --mark: #4a4016; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
.lead, .note { color: var(--soft); }
.note { font-size: .875rem; }
nav { font-size: .875rem; margin: .8rem 0 1.4rem; }
nav a { color: var(--s0); margin-right: 1rem; text-decoration: none; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin: 1.2rem 0; }
.card { background: var(--panel); border-radius: 8px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.75rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.card span { display: block; font-size: .85rem; color: var(--soft); }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .34rem .4rem; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td { white-space: nowrap; } td.text, th.text { text-align: left; white-space: normal; }
td.text { min-width: 11rem; }
td:first-child { white-space: normal; min-width: 5.5rem; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody tr.group td { color: var(--soft); font-weight: 600; padding-top: .9rem; }
td small { display: block; color: var(--soft); font-size: .75rem; white-space: nowrap; }
td.best { background: var(--mark); }
td.floor::before { content: "\\25C6\\00A0"; color: var(--s1); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; } .even { color: var(--soft); }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; } .pair > figure { flex: 1 1 20rem; }
figure { margin: .8rem 0; min-width: 0; overflow-x: auto; }
figcaption { font-size: .875rem; font-weight: 600; margin-bottom: .2rem; }
svg { max-width: 100%; height: auto; display: block; }
svg text { font: 12.5px system-ui, sans-serif; fill: var(--ink); } svg text.small { font-size: 11.5px; fill: var(--soft); }
svg text.tiny { font-size: 8.5px; fill: var(--soft); }
svg .dark { fill: var(--page) !important; }
svg text.on0, svg text.on1, svg text.on2, svg text.on3, svg text.on4, svg text.on5 { fill: var(--page); }
.grid { stroke: var(--rule); stroke-width: 1; } .diagonal { stroke: var(--soft); stroke-dasharray: 4 4; }
.whisker { stroke-width: 2; opacity: .55; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.cell.right { fill: var(--s2); } .cell.wrong { fill: var(--s4); }
"""
    + "\n".join(
        f".s{n} {{ fill: var(--s{n}); stroke: none; background: var(--s{n}); }} g.s{n} line, .line.s{n} "
        f"{{ stroke: var(--s{n}); fill: none; background: none; }}"
        for n in range(6)
    )
    + """
.legend { font-size: .82rem; color: var(--soft); } .legend span { margin-right: 1.1rem; white-space: nowrap; }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .35rem; }
details { margin: .35rem 0; border-left: 3px solid var(--rule); padding-left: .8rem; } summary { cursor: pointer; }
blockquote { margin: .5rem 0; padding: .5rem .8rem; background: var(--panel); border-radius: 6px; font-size: .9rem; }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 0 .1em; }
code { font: .875em ui-monospace, "SF Mono", Consolas, monospace; }
footer { margin-top: 3rem; font-size: .85rem; color: var(--soft); }
@media (max-width: 44rem) { svg { max-width: 190%; } }
@media print { :root { --page: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #f3f3f3; --good: #14713d; --bad: #a8321f;
  --s0: #2a63c4; --s1: #c46a13; --s2: #157f78; --s3: #8b4bb3; --s4: #a8321f; --s5: #777; --mark: #fff2c4; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav { display: none; } .wide { overflow: visible; }
  h2, h3 { break-after: avoid; } svg { max-width: 100%; }
  figure, tr, blockquote, .card { break-inside: avoid; } @page { margin: 16mm; } }
"""
)
