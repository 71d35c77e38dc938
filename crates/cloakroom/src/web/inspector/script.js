// Looks again once a second and puts only what has changed into the page. Without it the page is the same, and the
// link "Look again" does this.
"use strict";

const main = document.getElementById("main");
const pause = document.getElementById("pause");
const state = document.getElementById("state");
// Each section as the server last wrote it, whatever the visitor has opened since.
const written = new Map();
let paused = false;

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

function sections(root) {
  return root.querySelectorAll("section[id]");
}

// Opens again what was open, and puts focus and scrolled lists back where they were.
function replace(old, fresh) {
  for (const open of old.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = focused?.closest("[id]")?.id;
  const kind = focused?.tagName;
  const lists = [...old.querySelectorAll(".list, .events, .scroll")].map((list) => [list.scrollTop, list.scrollLeft]);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".list, .events, .scroll").forEach((list, index) => {
    [list.scrollTop, list.scrollLeft] = lists[index] ?? [0, 0];
  });
  if (place) {
    const around = document.getElementById(place);
    const again = around?.matches(kind) ? around : around?.querySelector(kind);
    again?.focus({ preventScroll: true });
  }
}

function busy(section) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && section.contains(selection.anchorNode);
  return selecting || (section.contains(document.activeElement) && document.activeElement.matches("input"));
}

async function look() {
  const answer = await fetch(main.dataset.now + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (paused) return;
  for (const fresh of sections(page)) {
    const html = fresh.outerHTML;
    const old = document.getElementById(fresh.id);
    if (!old || written.get(fresh.id) === html || busy(old)) continue;
    written.set(fresh.id, html);
    replace(old, document.adoptNode(fresh));
  }
}

async function again() {
  if (!paused && !document.hidden) {
    try {
      await look();
      say("Live");
    } catch {
      say("No answer");
    }
  }
  setTimeout(again, 1000);
}

pause.hidden = false;
document.getElementById("again").hidden = true;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Go on" : "Pause";
  say(paused ? "Paused" : "Live");
});
again();
