"""The report's stylesheet: the service's own colours, light and dark."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--surface:#fff;--line:#e3e7ed;--ink:#1b2230;--soft:#475163;--muted:#626c7e;--accent:#2b5cc4;--bad:#ae2f1d;--rgb:43 92 196;--red:174 47 29}
@media (prefers-color-scheme:dark){:root{--bg:#0e1217;--surface:#161b22;--line:#28303b;--ink:#e6eaf0;--soft:#b3bcc9;--muted:#909bab;--accent:#8db1ff;--bad:#ff9c8c;--rgb:141 177 255;--red:255 156 140}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 Inter,ui-sans-serif,system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.125rem;margin:40px 0 12px}
h3{font-size:1rem;margin:0;overflow-wrap:anywhere}
p{margin:0}.sub{color:var(--muted);overflow-wrap:anywhere}.head{font-size:1.125rem;color:var(--soft);margin:12px 0 24px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0}
.tiles div,.card,.scroll{background:var(--surface);border:1px solid var(--line);border-radius:12px}
.tiles div{padding:12px 16px}.tiles dt{color:var(--muted);font-size:.8125rem}.tiles dd{margin:0;font-size:1.375rem;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem}
.list th,.list td{padding:7px 14px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
.list th:first-child,.list td.l,.list th.l{text-align:left}.list thead th{color:var(--muted);font-weight:500;font-size:.8125rem}
.list tbody tr:last-child>*{border-bottom:0}.list tbody th{font-weight:600;max-width:260px;overflow:hidden;text-overflow:ellipsis}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:16px}
.card{padding:16px 18px;min-width:0}.top{display:flex;gap:10px;align-items:baseline;justify-content:space-between}
.kind{color:var(--accent);background:rgb(var(--rgb)/.12);border-radius:99px;padding:1px 10px;font-size:.8125rem;white-space:nowrap}
.card>svg{display:block;width:100%;height:auto;margin:12px 0 4px}svg rect{fill:var(--accent)}svg text{fill:var(--muted);font-size:11px}.axis{stroke:var(--line)}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(96px,1fr));gap:8px 14px;margin:12px 0 0}
.facts dt{color:var(--muted);font-size:.75rem}.facts dd{margin:0;overflow-wrap:anywhere}.gap{color:var(--bad)}
.frequent{margin-top:12px;table-layout:fixed}.frequent th{font-weight:400;text-align:left;width:42%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;padding:2px 8px 2px 0}
.frequent td{text-align:right;color:var(--soft);width:64px;font-size:.8125rem;white-space:nowrap}.frequent td.bar{width:auto}.frequent svg{display:block;width:100%;height:8px}
.heat td{min-width:56px;height:34px;text-align:center}.heat tbody th{font-weight:500;text-align:right;padding:0 12px;white-space:nowrap;max-width:200px;overflow:hidden;text-overflow:ellipsis}
.heat thead th{font-weight:500;color:var(--muted);padding:10px 4px;max-width:90px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.none{color:var(--muted)}
.found{margin:0;padding-left:20px;color:var(--soft)}.found b{color:var(--ink)}
footer{margin-top:40px;color:var(--muted);font-size:.8125rem}
@media print{body{background:none}.card,.scroll{break-inside:avoid}}
"""
