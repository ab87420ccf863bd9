// Models side by side, token by token.
import { $, element, models, stream } from "./common.js";

const histories = {};            // of each model, what was asked and what it said
let running = null, last = null; // AbortController; the newest turn

const chosen = () => [...document.querySelectorAll("#models input:checked")].map(box => box.value);

export async function start() {
  const names = await models();
  $("models").replaceChildren($("models").querySelector("legend"), ...names.map((name, place) =>
    element("label", {}, element("input", { type: "checkbox", value: name, checked: place < 3 }), name)));
}

export function show() { $("query").focus(); }
export function leave() {}

async function answer(model, query, card, signal) {
  const history = histories[model] ??= [];
  const system = $("system").value.trim();
  const messages = [...(system ? [{ role: "system", content: system }] : []), ...history, { role: "user", content: query }];
  const text = card.querySelector("p"), told = card.querySelector("span");
  const began = performance.now();
  let first = 0, count = 0;
  try {
    await stream("v1/chat/completions", { model, messages, temperature: +$("temperature").value, max_tokens: +$("tokens").value }, signal, event => {
      for (const choice of event.choices) {
        if (!choice.delta.content) continue;
        first ||= performance.now();
        const log = $("log"), atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
        text.textContent += choice.delta.content;
        if (atEnd) log.scrollTop = log.scrollHeight;  // who reads further up is left there
      }
      count = event.usage?.completion_tokens ?? count;
    });
    first ||= performance.now();
    const seconds = (performance.now() - first) / 1000;
    told.textContent = count + " tokens" + (count > 1 && seconds > 0 ? ", " + (count / seconds).toFixed(0) + "/s" : "") + ", first after " + ((first - began) / 1000).toFixed(2) + " s";
    history.push({ role: "user", content: query }, { role: "assistant", content: text.textContent });
    $("said").textContent = model + " says: " + text.textContent;
  } catch (error) {
    const stopped = error.name === "AbortError";
    told.textContent = stopped ? "stopped; not remembered" : "";
    if (!stopped) { text.textContent = error.message; text.className = "failed"; }
  }
}

async function ask(query) {
  const models = chosen();
  if (!models.length) { $("note").textContent = "Choose a model first."; return; }
  $("note").textContent = "";
  $("start")?.remove();
  running = new AbortController();
  for (const id of ["send", "again"]) $(id).disabled = true;
  $("stop").disabled = false;
  const cards = models.map(model => element("section", { className: "answer" },
    element("h2", {}, model, element("span", { textContent: "…" })), element("p")));
  const turn = element("div", { className: "turn" }, element("p", { className: "query", textContent: query }), element("div", { className: "answers" }, ...cards));
  $("log").append(turn);
  turn.scrollIntoView({ block: "end" });
  last = { query, models };
  await Promise.all(models.map((model, place) => answer(model, query, cards[place], running.signal)));
  running = null;
  for (const id of ["send", "again"]) $(id).disabled = false;
  $("stop").disabled = true;
}

$("ask").addEventListener("submit", event => {
  event.preventDefault();
  const query = $("query").value.trim();
  if (!query || running) return;
  $("query").value = "";
  ask(query);
});
$("query").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); $("ask").requestSubmit(); }
});
document.addEventListener("keydown", event => { if (event.key === "Escape") running?.abort(); });
$("stop").addEventListener("click", () => running?.abort());
$("again").addEventListener("click", () => {  // the newest question, without what was said to it
  if (running || !last) return;
  for (const model of last.models) {
    const history = histories[model] ?? [];
    if (history.at(-2)?.content === last.query) history.length -= 2;
  }
  ask(last.query);
});
$("fresh").addEventListener("click", () => {
  running?.abort();
  for (const model in histories) delete histories[model];
  $("log").replaceChildren();
  last = null;
  $("again").disabled = true;
  $("query").focus();
});
