// How the page looks. Engines have a colour each, told apart by lightness as well, and a dash for each family: devices solid, node:fs
// dashed, fio dotted. Every colour of text and of lines has a contrast of at least 4.5 to 1 with what is behind it.
import { ENGINES } from '../engine.js';

const LIGHT = `--page:#f6f5f2;--card:#fff;--ink:#1c1e21;--quiet:#5c6166;--line:#dedbd4;--track:#efede8;--bad:#a8201a;
--sync:#1557a8;--batch:#0b7468;--async:#6b3fbf;--nbd:#3c6a12;--fs-sync:#b2480c;--fs-callback:#7d6100;--fs-promises:#b0215c;--fio:#43484f`;
const DARK = `--page:#101215;--card:#181b20;--ink:#e9e7e2;--quiet:#a2a7ae;--line:#31363d;--track:#22262c;--bad:#ff8d85;
--sync:#70b2ff;--batch:#3ccab2;--async:#b9a1ff;--nbd:#9fd668;--fs-sync:#ff9d61;--fs-callback:#dcc24e;--fs-promises:#ff8ab6;--fio:#c0c7d1`;

const ENGINE_COLOURS = ENGINES.map((engine) => `.e-${engine}{--c:var(--${engine})}`).join('');

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
-webkit-text-size-adjust:100%;text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:48px 24px 64px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px}
h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;margin:0;overflow-wrap:anywhere}
h3{font-size:15px;margin:28px 0 0;padding-top:20px;border-top:1px solid var(--line)}
p{margin:0}
.quiet,.words,.about{color:var(--quiet)}
.about{font-size:14px;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:26px 28px 24px;margin-top:28px}
.words{font-size:14.5px;margin-top:3px;overflow-wrap:anywhere}
.bad{color:var(--bad);margin-top:12px;font-size:14.5px;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,7fr);gap:44px;margin-top:22px}
figure{margin:0;min-width:0}
figcaption{font-size:14.5px;font-weight:600;margin-bottom:14px}
figcaption .quiet{font-weight:400;margin-left:.35em}
svg{display:block;overflow:visible}
text{font-size:13.5px;fill:var(--ink)}
.figure{text-anchor:end;font-variant-numeric:tabular-nums}
.name{font-weight:600;fill:var(--c)}
.track{fill:var(--track)}
.bar{fill:var(--c)}
.chart{display:grid;grid-template-columns:58px minmax(0,1fr) 18px 86px;grid-template-rows:280px 22px auto}
.y,.ends,.x{position:relative;font-size:12.5px;font-variant-numeric:tabular-nums}
.y span,.ends span{position:absolute;transform:translateY(-50%);white-space:nowrap;line-height:1}
.y span{right:9px;color:var(--quiet)}
.ends span{left:0;color:var(--c);font-weight:600}
.plot{width:100%;height:280px}
.grid{stroke:var(--line);fill:none;stroke-width:1;vector-effect:non-scaling-stroke;shape-rendering:crispEdges}
.curve{stroke:var(--c);fill:none;stroke-width:2.25;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.e-fs-sync .curve,.e-fs-callback .curve,.e-fs-promises .curve{stroke-dasharray:7 3.5}
.e-fio .curve{stroke-dasharray:2 3.5}
.rest{stroke:var(--c);opacity:.35;fill:none;stroke-width:1;vector-effect:non-scaling-stroke}
.leaders path{stroke:var(--c);opacity:.55;fill:none;stroke-width:1}
.x{grid-column:2;color:var(--quiet)}
.x span{position:absolute;top:8px;transform:translateX(-50%);white-space:nowrap;line-height:1}
.x-title{grid-column:1/-1;padding-left:58px;margin-top:6px;font-size:12.5px;color:var(--quiet)}
table{border-collapse:collapse;width:100%;margin-top:30px;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;font-size:14.5px;padding-bottom:8px}
th,td{padding:6px 0 6px 14px;text-align:right;white-space:nowrap;border-top:1px solid var(--line);font-weight:400}
thead th{color:var(--quiet);border-top:0;padding-top:0}
th:first-child{text-align:left;padding-left:0}
tbody th{font-weight:600}
tbody th i{display:inline-block;width:10px;height:10px;border-radius:2px;background:var(--c);margin-right:8px}
footer{margin-top:32px;font-size:14px;color:var(--quiet)}
footer dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:2px 16px;margin:0 0 14px}
footer dt{font-weight:600;color:var(--c)}
footer dd{margin:0}
@media (max-width:900px){
.charts{grid-template-columns:minmax(0,1fr);gap:34px}
thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table,caption,tbody{display:block}
tbody tr{display:grid;grid-template-columns:1fr 1fr;gap:1px 22px;padding:12px 0;border-top:1px solid var(--line)}
th:first-child,td{display:flex;justify-content:space-between;padding:1px 0;border:0}
tbody th:first-child{grid-column:1/-1;justify-content:flex-start;align-items:center;padding-bottom:4px}
td::before{content:attr(data-label);color:var(--quiet)}
}
@media (max-width:520px){
main{padding:28px 12px 40px}
h1{font-size:25px}
section{padding:20px 16px;margin-top:18px}
.chart{grid-template-columns:51px minmax(0,1fr) 14px 82px}
.y,.ends,.x,.x-title{font-size:12px}
.y span{right:6px}
.x-title{padding-left:0}
footer dl{grid-template-columns:minmax(0,1fr)}
footer dd{margin-bottom:6px}
}
@media print{body{background:#fff}section{break-inside:avoid}}
${ENGINE_COLOURS}`;
