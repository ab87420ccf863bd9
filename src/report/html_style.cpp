#include "report/html_style.h"

namespace sdft::report {

// Colours: grey for the seed, orange for the baseline, blue for the tuned model; they stay apart for
// colour-blind readers and in greyscale the markers differ. Two columns fold into one below 40 rem.
const char* const kStyle = R"css(
:root{color-scheme:light dark;--page:#f6f6f4;--card:#fff;--ink:#1b1c1e;--soft:#5c6066;--line:#e2e2dd;--fill:#e9e9e4;
--m0:#6b7078;--m1:#b9540a;--m2:#0a63ad;--m3:#8a3f98;--m4:#00776a;
--m5:#80640a;--m6:#c2185b;--m7:#5646c0;--m8:#4a7525;--m9:#7a4a2b;--m10:#00708f;--m11:#b0362b;--m12:#47617f;--good:#0b6e4f;--bad:#a8201a;--warn:#8a5a00;--warnbg:#fdf4dc}
@media (prefers-color-scheme:dark){:root{--page:#131416;--card:#1b1d20;--ink:#e9e9e6;--soft:#a0a4ab;--line:#31343a;
--fill:#25282c;--m0:#a3a8b0;--m1:#f0954f;--m2:#62b1f0;--m3:#d194e0;--m4:#45c4a9;
--m5:#d9b945;--m6:#f47fb0;--m7:#a79bff;--m8:#9ccc65;--m9:#cba68b;--m10:#5cc3e0;--m11:#f28b7d;--m12:#9db4d6;--good:#5cc9a0;--bad:#ff8a80;
--warn:#f0c060;--warnbg:#2b2616}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:53rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}
h1,h2,h3,p,dl,dd,ul,figure{margin:0}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.2rem;line-height:1.3;letter-spacing:-.01em}
h3{font-size:1rem;line-height:1.4}
section{margin-top:3rem}
.lead{color:var(--soft);margin:.3rem 0 1.25rem;max-width:44rem}
.over{font-size:.8rem;color:var(--soft);margin-bottom:.35rem}
.meta{color:var(--soft);font-size:.9rem;margin-top:.6rem;overflow-wrap:anywhere}
.soft{color:var(--soft)}
a{color:var(--m2)}
.nowrap{white-space:nowrap}
.m0{--c:var(--m0)}.m1{--c:var(--m1)}.m2{--c:var(--m2)}.m3{--c:var(--m3)}.m4{--c:var(--m4)}.m5{--c:var(--m5)}.m6{--c:var(--m6)}
.m7{--c:var(--m7)}.m8{--c:var(--m8)}.m9{--c:var(--m9)}.m10{--c:var(--m10)}.m11{--c:var(--m11)}.m12{--c:var(--m12)}
.good{color:var(--good)}.bad{color:var(--bad)}.same{color:var(--soft)}

.warnings{padding:.85rem 1.1rem .95rem;margin-top:1.5rem;background:var(--warnbg);border-radius:.5rem;
font-size:.925rem;line-height:1.45}
.warnings h2{font-size:.85rem;font-weight:650;letter-spacing:0;color:var(--warn);margin-bottom:.3rem}
.warnings ul{padding-left:1.1rem}
.warnings li{overflow-wrap:anywhere}
.warnings li::marker{color:var(--warn)}
.warnings li+li{margin-top:.3rem}

.verdict{margin-top:1.5rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;overflow:hidden}
.headline{font-size:1.35rem;line-height:1.35;font-weight:650;letter-spacing:-.012em;padding:1.5rem 1.5rem 1.35rem;text-wrap:pretty}
.tiles{display:grid;grid-template-columns:repeat(2,1fr);gap:1px;background:var(--line);
border-top:1px solid var(--line)}
.tile{background:var(--card);padding:1.1rem 1.5rem 1.2rem}
.tile:last-child:nth-child(odd){grid-column:1/-1}
.tile h3{font-size:.85rem;font-weight:600;color:var(--soft)}
.move{font-size:1.65rem;line-height:1.25;font-weight:650;letter-spacing:-.02em;margin:.15rem 0 .1rem}
.move .from{font-weight:400;color:var(--soft)}
.tile p{font-size:.9rem;line-height:1.45}
.tile p.move{font-size:1.65rem}
.tile .base{color:var(--soft);margin-top:.4rem;padding-left:1.25rem;text-indent:-1.25rem}
.tile .icon{margin-right:.35rem;vertical-align:-2px}
.tile .remark{margin-top:.5rem;color:var(--soft)}
.conclusion{padding:1rem 1.5rem 1.1rem;border-top:1px solid var(--line);font-size:.925rem}
.conclusion b{font-weight:600}

.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;list-style:none;padding:0;margin-bottom:.9rem;font-size:.9rem}
.legend .icon,th .icon,.over .icon{vertical-align:-2px;margin-right:.4rem}
.wide{display:block}.narrow{display:none}
.plot{display:block;max-width:100%;height:auto;overflow:visible;font-size:12px}
.plot text{fill:var(--ink)}
.plot .tick,.plot .faint{fill:var(--soft)}
.plot .end{text-anchor:end}.plot .mid{text-anchor:middle}
.plot .label{font-size:13px;paint-order:stroke;stroke:var(--page);stroke-width:4px}
.plot .kind{font-size:12.5px;font-weight:650}
.plot .grid{stroke:var(--line);stroke-width:1}
.plot .seedline{stroke:var(--m0);stroke-width:1.2;stroke-dasharray:2 3}
.whisker{stroke:var(--c);stroke-width:1.6;opacity:.75}
.mark{fill:var(--c);stroke:var(--card);stroke-width:1}
.mark.hollow{fill:var(--card);stroke:var(--c);stroke-width:1.8}
.curve{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.curve.dashed{stroke-dasharray:5 4}
.area{fill:var(--c);fill-opacity:.25;stroke:var(--c);stroke-width:1.4}
.plot .cell{fill:var(--m2)}
.charts{display:grid;grid-template-columns:repeat(3,1fr);gap:1.5rem;margin-top:1.75rem}
.charts .plot{width:100%}
figcaption{color:var(--soft);font-size:.875rem;margin-top:.75rem}

table{border-collapse:collapse;width:100%;table-layout:fixed;font-size:.95rem}
col.first{width:31%}
th,td{text-align:left;vertical-align:top;padding:.6rem .75rem .6rem 0}
thead th{font-size:.85rem;font-weight:600;border-bottom:1.5px solid var(--ink);padding-top:0;overflow-wrap:anywhere}
tbody th{font-weight:500;overflow-wrap:anywhere}
tbody td{border-bottom:1px solid var(--line)}
tbody tr>th{border-bottom:1px solid var(--line)}
tr.group th{font-size:.85rem;font-weight:650;padding:1.15rem 0 .35rem;border-bottom:1px solid var(--line)}
main.broad{max-width:68rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(21rem,1fr));gap:1.5rem 2rem}
.pair .plot{width:100%}
h2+figure{margin-top:.75rem}
.scroll{overflow-x:auto}
.grid{table-layout:auto}
.grid th,.grid td{padding-right:1.1rem}
.grid th{overflow-wrap:normal}.grid tbody th{min-width:6rem}
.up .ci,.down .ci{color:var(--ink)}
.grid .ci{white-space:nowrap}
.grid td.up,.grid td.down{background:color-mix(in srgb,var(--t) var(--a),transparent)}
.grid td.up,.grid td.down{padding-left:.6rem}.up{--t:var(--good)}.down{--t:var(--bad)}
details>table{margin-top:.9rem}.below h3{margin-bottom:.6rem}
.note{color:var(--soft);font-size:.9rem;margin-top:.6rem}
.tall+.tall,.below,.outturns{margin-top:1.5rem}
.outturns col.first,.rounds col.first{width:18%}.outturns th:nth-child(2){width:38%}
td .row{display:block}
td .value{font-weight:600}
td .ci,td .delta{display:block;font-size:.82rem;line-height:1.4}
th .sub{display:block;font-size:.82rem;font-weight:400;color:var(--soft)}
.ci{color:var(--soft)}
.delta b{font-weight:600}

.bars{display:grid;grid-template-columns:13.5rem 1fr max-content;gap:.4rem 1rem;align-items:center;font-size:.925rem}
.bars dt{overflow-wrap:anywhere}
.bars .track{background:var(--fill);border-radius:3px;height:.75rem}
.bars .track i{display:block;height:100%;border-radius:3px;background:var(--c,var(--soft));min-width:2px}
.bars .amount{text-align:right;white-space:nowrap}
.bars .share{display:inline-block;min-width:4.2rem;color:var(--soft)}
.bars .sub{padding-left:1rem;color:var(--soft)}
.bars .sub+.track i{opacity:.55}
figure>h3{margin-bottom:.75rem}
figure+figure{margin-top:2rem}
.facts-row{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin-top:1.75rem}
.facts-row div{display:flex;flex-direction:column-reverse}
.facts-row dt{font-size:.85rem;color:var(--soft)}
.facts-row dd{font-size:1.25rem;font-weight:600;letter-spacing:-.01em}

.sample{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.15rem 1.1rem;margin-top:1rem}
.sample header{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline;font-size:.85rem;color:var(--soft);overflow-wrap:anywhere}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(13.5rem,1fr));gap:1rem 1.5rem;margin-top:.9rem;padding-top:.9rem;border-top:1px solid var(--line)}
.sides h3,.sides h4{margin:0 0 .25rem;font-size:.85rem;font-weight:600;display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}
.sides h3 .icon{align-self:center;margin-right:-.2rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;font-size:.925rem;line-height:1.5}
.prompt{margin-top:.35rem;color:var(--ink)}
.reference{margin-top:.6rem}
.reference b{display:block;font-size:.85rem;font-weight:600;color:var(--soft)}
.tag{font-weight:500;font-size:.82rem}
.cutmark{color:var(--soft);font-style:italic;white-space:nowrap}
del,ins{text-decoration:none;border-radius:2px;background:color-mix(in srgb,var(--t) 16%,transparent)}
del{--t:var(--m1)}ins{--t:var(--m2)}
mark{color:inherit;border-radius:2px;background:none;outline:1.5px solid var(--bad);text-decoration:underline}
.filter{display:none;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;position:sticky;top:0;z-index:1;padding:.75rem 0;background:var(--page)}
.js .filter{display:flex}
.filter label{display:flex;flex-direction:column;gap:.15rem;font-size:.82rem;color:var(--soft);min-width:0}
.filter output{font-size:.9rem;color:var(--soft);padding-bottom:.35rem}
select,input,button{font:inherit;font-size:.9rem;color:var(--ink);background:var(--card);border:1px solid var(--soft);border-radius:.4rem;padding:.25rem .5rem;max-width:100%}
.filter select,.filter input{height:2.1rem}
.copy{display:none;cursor:pointer;margin-top:.75rem}
.js .copy{display:inline-block}
.sample header .copy{margin:0 0 0 auto;font-size:.82rem;padding:.1rem .5rem}
.list .sample{content-visibility:auto;contain-intrinsic-size:auto 13rem}
.said{position:fixed;left:50%;bottom:1.25rem;transform:translateX(-50%);margin:0;padding:.5rem 1rem;border-radius:.5rem;background:var(--ink);color:var(--page)}
.said:empty{padding:0}
details{margin-top:1rem;border-top:1px solid var(--line);padding-top:.75rem}
summary{cursor:pointer;font-weight:600}
summary .soft{font-weight:400}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.5rem;font-size:.925rem}
.facts dt{color:var(--soft);max-width:14rem;overflow-wrap:anywhere}
.facts dd{overflow-wrap:anywhere}
.hash{font:.8rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--soft);display:block}
pre{margin:.75rem 0 0;padding:1rem;background:var(--fill);border-radius:.5rem;overflow-x:auto;user-select:all;
font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
h2+.bars,h2+.facts{margin-top:1rem}
h3.gap{margin:1.75rem 0 .6rem}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.85rem;color:var(--soft)}

@media (max-width:40rem){
main{padding:1.5rem 1rem 3rem}
h1{font-size:1.45rem}
section{margin-top:2.5rem}
.headline{font-size:1.2rem;padding:1.15rem 1.1rem}
.tiles{grid-template-columns:1fr}.tile{padding:.9rem 1.1rem 1rem}
.conclusion{padding:.9rem 1.1rem}
.wide{display:none}.narrow{display:block}
.plot.full,.narrow .plot{width:100%}
.charts{grid-template-columns:1fr}
table:not(.grid) thead{display:none}
table:not(.grid),:not(.grid)>tbody{display:block}
:not(.grid)>tbody>tr{display:grid;grid-template-columns:repeat(var(--models),minmax(0,1fr));column-gap:.75rem;border-bottom:1px solid var(--line);padding:.7rem 0}
:not(.grid)>tbody>tr.group{display:block;padding:1rem 0 .3rem}
:not(.grid)>tbody>tr>*{border:0;padding:0}
:not(.grid)>tbody>tr.group th{padding:0;display:block;border:0}
td .delta b{display:block}
.outturns td:first-of-type{grid-column:1/-1}
.lead{font-size:.95rem}
.charts .plot{max-width:300px}
tbody tr:not(.group)>th{grid-column:1/-1;padding-bottom:.4rem}
.grid tbody tr>th{padding-bottom:.6rem}
td[data-model]::before{content:attr(data-model);display:block;font-size:.8rem;color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
td .ci,td .delta{font-size:.76rem;letter-spacing:-.015em}
.bars{grid-template-columns:8.5rem 1fr max-content;column-gap:.65rem;font-size:.85rem}.bars .share{min-width:3.6rem}
.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.6rem}
}
@media print{
.js .filter,.js .copy{display:none}
.list .sample{content-visibility:visible}
:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#50545a;--line:#d5d5d0;--fill:#eeeeea;
--m0:#6b7078;--m1:#b9540a;--m2:#0a63ad;--m3:#8a3f98;--m4:#00776a;
--m5:#80640a;--m6:#c2185b;--m7:#5646c0;--m8:#4a7525;--m9:#7a4a2b;--m10:#00708f;--m11:#b0362b;--m12:#47617f;--good:#0b6e4f;--bad:#a8201a;--warn:#8a5a00;--warnbg:#fdf4dc}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font-size:11pt}main{max-width:none;padding:0}
section{margin-top:2rem}
h2,h3,.lead,summary,tr.group,.legend{break-after:avoid}
.lead,.sample,.tile,figure,tr,.bars,.facts-row{break-inside:avoid}
details::details-content{content-visibility:visible;display:block;block-size:auto}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
}
)css";

}  // namespace sdft::report
