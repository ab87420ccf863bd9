// Which part of the page is shown: the one that the address names behind "#", "#runs/NAME".
import { $, view } from "./common.js";
import * as chat from "./chat.js";
import * as runs from "./runs.js";
import * as tryout from "./tryout.js";

const parts = { chat, runs, tryout };
let there = [], shown = null;

function route() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  const part = there.includes(name) ? name : there[0];
  if (!part) return;
  if (shown && shown !== part) parts[shown].leave();
  shown = part;
  for (const other in parts) $(other).hidden = other !== part;
  for (const link of document.querySelectorAll("nav a"))
    if (link.hash === "#" + part) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  parts[part].show(rest.map(decodeURIComponent));
}

async function load() {
  try {
    const known = await view("parts");
    there = Object.keys(parts).filter(name => known[name]);
    for (const name of there) {
      document.querySelector(`nav a[href="#${name}"]`).hidden = false;
      await parts[name].start();
    }
    $("note").textContent = "";
    $("keyed").hidden = !sessionStorage.getItem("key");
    route();
  } catch (error) {
    if (error.status === 401) $("keyed").hidden = false;
    $("note").textContent = error.status === 401 ? "This server asks for its key." : error.message;
  }
}

$("key").addEventListener("change", () => { sessionStorage.setItem("key", $("key").value); load(); });
window.addEventListener("hashchange", route);
load();
