// Runs: all of a folder, one that goes on or is over, its report, several compared.
import { $, element, view } from "./common.js";

const root = $("runs");
let timer = null;
const marked = new Set();  // to be compared

const link = (text, ...path) => element("a", { href: "#" + ["runs", ...path.map(encodeURIComponent)].join("/"), textContent: text });
const percent = share => share == null ? "–" : (100 * share).toFixed(1) + " %";
const whole = number => Math.round(number).toLocaleString("en");
const plural = (number, what) => whole(number) + " " + what + (number === 1 ? "" : "s");

function duration(seconds) {
  if (seconds < 60) return Math.round(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.round(seconds / 60 % 60) + " min";
}

export async function start() {}
export function leave() { clearTimeout(timer); }

export async function show([name, what, file]) {
  clearTimeout(timer);
  try {
    if (name === undefined) await showAll();
    else if (name === "compare") await showComparison(what);
    else if (what === "report") await showReport(name, file ?? "report.html");
    else await follow(name, true);
  } catch (error) {
    root.replaceChildren(element("p", { className: "failed", textContent: error.message }), link("All runs"));
  }
}

// --- All runs ---

function row(run) {
  const box = element("input", { type: "checkbox", checked: marked.has(run.name), disabled: !run.report, ariaLabel: "Compare " + run.name });
  box.addEventListener("change", () => {
    if (box.checked) marked.add(run.name); else marked.delete(run.name);
    $("compare").disabled = marked.size < 2;
  });
  const means = (run.means ?? []).map(mean => element("div", { textContent: `${mean.model}: ${percent(mean.target)}, ${percent(mean.retained)}` }));
  return element("tr", {}, element("td", {}, box), element("th", { scope: "row" }, link(run.name, run.name)), element("td", { textContent: run.state }),
    element("td", { textContent: run.model }), element("td", { textContent: run.dataset }), element("td", {}, ...means),
    element("td", { textContent: new Date(1000 * run.changed).toLocaleString() }));
}

async function showAll() {
  const runs = (await view("runs")).sort((a, b) => (b.state === "running") - (a.state === "running") || b.changed - a.changed);
  if (!runs.length) { root.replaceChildren(element("h2", { textContent: "Runs" }), element("p", { textContent: "There is no run in this folder yet." })); return; }
  const compare = element("button", { id: "compare", textContent: "Compare the chosen ones", disabled: marked.size < 2 });
  compare.addEventListener("click", () => { location.hash = "runs/compare/" + encodeURIComponent(JSON.stringify([...marked])); });
  const titles = ["Compare", "Run", "State", "Model", "Dataset", "Target, retained", "Changed"];
  root.replaceChildren(element("h2", { textContent: "Runs" }), element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "All runs" },
    element("table", {}, element("thead", {}, element("tr", {}, ...titles.map(title => element("th", { scope: "col", textContent: title })))), element("tbody", {}, ...runs.map(row)))),
    element("p", {}, compare));
}

// --- One run ---

function progressOf(run) {
  const now = run.progress;
  if (!now) return element("p", { textContent: { running: "Under way; nothing is counted just now.", finished: "Finished.", stopped: "Not finished: the same command goes on with it." }[run.state] });
  const rate = now.tokens_per_second ? whole(now.tokens_per_second) + " tokens/s" : now.per_second ? now.per_second.toFixed(now.per_second < 10 ? 1 : 0) + "/s" : "";
  const left = now.seconds_left === undefined ? "" : duration(now.seconds_left) + " left";
  return element("div", {}, element("p", { textContent: [now.label, `${whole(now.done)} of ${whole(now.total)} ${now.unit}`, rate, left, now.note].filter(Boolean).join(" · ") }),
    element("progress", { max: now.total, value: now.done, ariaLabel: now.label }));
}

function stagesOf(run) {
  return element("ul", { className: "stages", ariaLabel: "Stages" }, ...run.stages.map(stage => {
    const done = stage.done === stage.total;
    const count = stage.total > 1 && !done ? ` (${stage.done} of ${stage.total})` : "";
    return element("li", { textContent: `${done ? "✓" : stage.done ? "…" : "○"} ${stage.what} ${stage.name}${count}`, className: done ? "accepted" : "" });
  }));
}

function rewritesOf(rewrites) {
  if (!rewrites) return [];
  const reasons = Object.entries(rewrites.rejected).map(([reason, count]) => `${whole(count)} ${reason}`).join(", ");
  return [element("h3", { textContent: "Rewrites" }),
    element("p", { textContent: `${whole(rewrites.accepted)} accepted` + (reasons ? `; rejected: ${reasons}` : "") }),
    ...rewrites.newest.map(one => element("article", { className: "pair" },
      element("h3", { className: one.accepted ? "accepted" : "rejected", textContent: `${one.id}: ${one.accepted ? "accepted" : one.reason + (one.matched ? " (" + one.matched + ")" : "")}` }),
      element("div", { className: "texts" }, element("p", {}, element("small", { textContent: "original" }), one.original), element("p", {}, element("small", { textContent: "rewrite" }), one.rewrite || "–"))))];
}

const svg = (name, attributes, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  made.append(...children);
  return made;
};

// lines: [{name, x, y}]; each has a dash of its own beside its colour.
function plot(title, lines) {
  lines = lines.filter(line => line.y.some(value => value != null));
  if (!lines.length) return [];
  const width = 720, height = 220, left = 52, bottom = 24, colours = ["var(--accent)", "var(--warn)", "var(--good)", "var(--ink)"], dashes = ["", "6 3", "2 3", "8 3 2 3"];
  const flat = key => lines.flatMap(line => line[key]).filter(value => value != null);
  const [x0, x1, y0, y1] = [Math.min(...flat("x")), Math.max(...flat("x")), Math.min(0, ...flat("y")), Math.max(...flat("y"))];
  const px = x => left + (width - left - 8) * (x1 > x0 ? (x - x0) / (x1 - x0) : 0.5), py = y => 8 + (height - bottom - 8) * (y1 > y0 ? (y1 - y) / (y1 - y0) : 0.5);
  const text = (x, y, anchor, content) => svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "var(--ink)" }, content);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ` + lines.map(line => `${line.name} from ${line.y.find(v => v != null).toFixed(3)} to ${line.y.findLast(v => v != null).toFixed(3)}`).join(", ") },
    svg("path", { d: `M${left} 8V${height - bottom}H${width - 8}`, fill: "none", stroke: "var(--line)" }),
    text(left - 6, 16, "end", y1.toPrecision(3)), text(left - 6, height - bottom, "end", y0.toPrecision(2)),
    text(left, height - 6, "start", "step " + x0), text(width - 8, height - 6, "end", "step " + x1),
    ...lines.map((line, place) => svg("polyline", { fill: "none", "stroke-width": 1.8, stroke: colours[place % 4], "stroke-dasharray": dashes[Math.floor(place / 4 + place) % 4],
      points: line.x.flatMap((x, i) => line.y[i] == null ? [] : [px(x).toFixed(1) + "," + py(line.y[i]).toFixed(1)]).join(" ") })));
  const legend = lines.map((line, place) => element("span", {}, Object.assign(svg("svg", { width: 30, height: 8, "aria-hidden": "true", style: "display:inline-block;width:30px;vertical-align:middle" },
    svg("path", { d: "M0 4H30", stroke: colours[place % 4], "stroke-width": 2, "stroke-dasharray": dashes[Math.floor(place / 4 + place) % 4] }))), " " + line.name));
  return [element("h3", { textContent: title }), element("figure", {}, drawing, element("figcaption", {}, ...legend))];
}

function plotsOf(trainings) {
  const kl = key => trainings.map(training => ({ name: training.variant, x: training.kl_step, y: training[key] }));
  return [...plot("Loss", trainings.map(training => ({ name: training.variant, x: training.step, y: training.loss }))),
    ...plot("Divergence from the seed on the task’s prompts, nats a token", kl("kl_task")), ...plot("Divergence from the seed on retained prompts, nats a token", kl("kl_retained"))];
}

function recipeOf(run) {
  const text = element("pre", { textContent: run.recipe, tabIndex: 0, ariaLabel: "Recipe", role: "region" });
  const copy = element("button", { type: "button", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(run.recipe); copy.textContent = "Copied"; } catch { getSelection().selectAllChildren(text); }
  });
  return element("details", { open: root.querySelector("details")?.open ?? false }, element("summary", { textContent: "Recipe" }), copy, text);
}

async function follow(name, first) {
  const run = await view("runs/view", { name });
  const failed = Object.entries(run.failed).map(([variant, why]) => element("p", { className: "failed", textContent: `${variant}: ${why}` }));
  const top = root.scrollTop;
  root.replaceChildren(element("p", {}, link("All runs")), element("h2", { textContent: run.name }),
    element("p", { textContent: [run.state, run.model, run.dataset].filter(Boolean).join(" · ") }), progressOf(run), stagesOf(run), ...failed,
    ...(run.pages.length ? [element("ul", { className: "stages", ariaLabel: "Pages" }, ...run.pages.map(page => element("li", {}, link(page.name, name, "report", page.file))))] : []), ...plotsOf(run.trainings), ...rewritesOf(run.rewrites), recipeOf(run));
  root.scrollTop = first ? 0 : top;
  if (run.state === "running") timer = setTimeout(() => document.hidden ? later(name) : again(name), 2000);
}

const later = name => { timer = setTimeout(() => document.hidden ? later(name) : again(name), 2000); };
async function again(name) {
  if (root.contains(document.activeElement) && document.activeElement !== root) return later(name);  // who is reading keeps the focus
  try { await follow(name, false); $("note").textContent = ""; } catch (error) { $("note").textContent = error.message; later(name); }
}

// --- Reports ---

// A document of its own, which reaches neither this page nor its key. Its links to pages beside it lead there by this page.
const framed = (title, html) => element("iframe", { title, srcdoc: html, sandbox: "allow-scripts allow-top-navigation-by-user-activation" });
const throughHere = (html, name, file) => html.replace(/<a href="([^"#:?]+\.html)"/g, (whole, to) =>
  `<a target="_top" href="#${["runs", name, "report", decodeURIComponent(new URL(to, location.origin + "/" + file).pathname.slice(1))].map(encodeURIComponent).join("/")}"`);

async function showReport(name, file) {
  const html = await view("runs/report", { name, file }, "text");
  root.replaceChildren(element("p", {}, link("All runs"), " · ", link(name, name)), framed(`${file} of ${name}`, throughHere(html, name, file)));
}

async function showComparison(what) {
  const names = JSON.parse(what);
  const html = await view("runs/compare", { names }, "text");
  const linked = html.replace(/<a href="([^"#:?]+)\/report\.html"/g, (whole, run) => `<a target="_top" href="#runs/${encodeURIComponent(decodeURIComponent(run))}"`);
  root.replaceChildren(element("p", {}, link("All runs")), framed("Comparison of " + names.join(", "), linked));
}
