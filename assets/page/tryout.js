// A distillation template tried on a few examples of a recipe's dataset.
import { $, element, models, stream, view } from "./common.js";

let choices = null, running = null;

const template = () => ({ name: $("t-name").value, system: $("t-system").value, turn: $("t-turn").value, prefill: $("t-prefill").value, chat: $("t-chat").checked });
const list = text => text.split(",").map(part => part.trim()).filter(Boolean);

function fill(name) {
  const chosen = choices.templates.find(one => one.name === name);
  if (!chosen) return;
  $("t-system").value = chosen.system;
  $("t-turn").value = chosen.turn;
  $("t-prefill").value = chosen.prefill;
  $("t-chat").checked = chosen.chat;
}

export async function start() {
  choices = await view("tryout");
  $("t-name").replaceChildren(...choices.templates.map(one => element("option", { value: one.name, textContent: one.name })));
  $("t-name").value = choices.template;
  fill(choices.template);
  $("t-acceptance").value = choices.acceptance.join(", ");
  $("t-check").value = choices.answer_check;
  $("t-temperature").value = choices.temperature;
  $("t-first").max = choices.count;
  $("t-model").replaceChildren(...(await models()).map(name => element("option", { value: name, textContent: name })));
}
export function show() {}
export function leave() {}

// The card of an example is filled as its rewrite comes. True: accepted.
async function rewrite(example, asked, signal) {
  const verdict = element("span", { textContent: "…" }), text = element("p");
  const prompt = element("pre", { tabIndex: 0, role: "region", ariaLabel: "Prompt of " + example.id });
  $("t-results").append(element("article", { className: "pair" }, element("h3", {}, example.id + ": ", verdict),
    element("div", { className: "texts" }, element("p", {}, element("small", { textContent: "question" }), example.question), element("p", {}, element("small", { textContent: "reference answer" }), example.answer), element("div", {}, element("small", { textContent: "rewrite" }), text)),
    element("details", {}, element("summary", { textContent: "The prompt, as the model reads it" }), prompt)));
  try {
    const made = await view("tryout/prompt", { id: example.id, template: asked.template });
    prompt.textContent = made.text;
    let cut = false;
    await stream("v1/completions", { model: asked.model, prompt: made.ids, temperature: asked.temperature, top_p: choices.top_p, top_k: choices.top_k, max_tokens: choices.max_new_tokens, seed: 1 }, signal, event => {
      for (const choice of event.choices) {
        text.textContent += choice.text;
        cut ||= choice.finish_reason === "length";
      }
    });
    const judged = await view("tryout/judge", { id: example.id, rewrite: text.textContent, cut, chat: asked.template.chat, acceptance: asked.acceptance, answer_check: asked.check });
    verdict.textContent = judged.accepted ? "accepted" : judged.reason + (judged.matched ? ` (${judged.matched})` : "");
    verdict.className = judged.accepted ? "accepted" : "rejected";
    return judged.accepted;
  } catch (error) {
    verdict.textContent = error.name === "AbortError" ? "stopped" : error.message;
    verdict.className = "failed";
    return false;
  }
}

$("t-name").addEventListener("change", () => fill($("t-name").value));

$("template").addEventListener("submit", async event => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  $("t-try").disabled = true;
  $("t-stop").disabled = false;
  $("t-results").replaceChildren();
  $("t-told").textContent = "";
  try {
    const asked = { template: template(), model: $("t-model").value, temperature: +$("t-temperature").value, acceptance: list($("t-acceptance").value), check: $("t-check").value.trim() || "none" };
    const examples = await view("tryout/examples", { first: +$("t-first").value - 1, count: +$("t-count").value });
    const accepted = await Promise.all(examples.map(example => rewrite(example, asked, running.signal)));
    $("t-told").textContent = `${accepted.filter(Boolean).length} of ${accepted.length} accepted`;
  } catch (error) {
    $("t-told").textContent = error.message;
  }
  running = null;
  $("t-try").disabled = false;
  $("t-stop").disabled = true;
});
$("t-stop").addEventListener("click", () => running?.abort());

// As distill_template reads it.
$("t-save").addEventListener("click", () => {
  const { system, turn, prefill, chat } = template();
  const lines = Object.entries({ system, turn, prefill, chat }).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  const file = element("a", { href: URL.createObjectURL(new Blob(lines, { type: "text/yaml" })), download: "template.yaml" });
  file.click();
  URL.revokeObjectURL(file.href);
  $("t-told").textContent = "saved; in a recipe: distill_template: ./template.yaml";
});
