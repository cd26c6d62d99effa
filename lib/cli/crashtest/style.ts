// How the page of a crash test looks. Every colour of text and of lines has a contrast of at least 4.5 to 1 with what is behind it; what is lost
// and what is kept differ in form as well.

const LIGHT =
  '--page:#f6f5f2;--card:#fff;--ink:#1c1e21;--quiet:#5c6166;--line:#dedbd4;--band:#f3f1ec;--write:#1557a8;--flush:#0b7468;--bad:#a8201a;--good:#3c6a12;--mark:#6b3fbf';
const DARK =
  '--page:#101215;--card:#181b20;--ink:#e9e7e2;--quiet:#a2a7ae;--line:#31363d;--band:#1e2227;--write:#70b2ff;--flush:#3ccab2;--bad:#ff8d85;--good:#9fd668;--mark:#b9a1ff';

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
-webkit-text-size-adjust:100%;text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px}
h2{font-size:20px;line-height:1.3;margin:0 0 8px;overflow-wrap:anywhere}
h3{font-size:14.5px;margin:14px 0 4px}
p{margin:0 0 10px}
code{font:13.5px/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.quiet{color:var(--quiet);font-size:14.5px;overflow-wrap:anywhere}
.verdict{font-size:18px;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:22px 28px;margin-top:22px}
.failure h2{color:var(--bad)}
dl{display:flex;flex-wrap:wrap;gap:8px 32px;margin:0}
dt{font-size:13.5px;color:var(--quiet)}
dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.units{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:0 32px;margin-bottom:12px}
ul{margin:0;padding-left:20px;font-size:14.5px;overflow-wrap:anywhere}
ul.lost li::marker{color:var(--bad);content:"✕ "}
ul.kept li::marker{color:var(--good);content:"✓ "}
.scroll{overflow-x:auto}
svg{display:block;min-width:720px;max-width:100%;height:auto}
text{font-size:13px}text.quiet{fill:var(--quiet)}
.band{fill:var(--band)}
.write{fill:none;stroke:var(--write);stroke-width:1.5}
.write.durable{fill:var(--write)}
.write.discard,.write.zeroes{stroke-dasharray:3 2}
.write.lost{stroke:var(--bad);stroke-width:3;stroke-dasharray:4 2}
.write.kept{stroke:var(--good);fill:var(--good);stroke-width:3}
.wrong{stroke:var(--bad)}
.flush{stroke:var(--flush);stroke-width:2;fill:none}
.mark{fill:var(--mark)}
.axis{stroke:var(--line);fill:none}
.states{fill:var(--quiet);opacity:.55}
.failed{fill:var(--bad)}
.power{stroke:var(--bad);stroke-width:2;stroke-dasharray:6 4;fill:none}
@media (max-width:640px){main{padding:24px 12px 40px}section{padding:18px 16px}.units{grid-template-columns:minmax(0,1fr)}}
@media print{body{background:#fff}section{break-inside:avoid}}`;
