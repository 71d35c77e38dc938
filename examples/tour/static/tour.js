// The tour works without this file. With it the panel follows what other tabs do, ages tick, the theme can be chosen,
// and the letters of the ticket can be pointed at.

const find = (id) => document.getElementById(id);
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("ticket") : null;

// --- The panel: drawn anew by the server, so that it always shows what the server reads ---

async function lookAgain(tellOtherTabs) {
  const answer = await fetch("/panel");
  if (!answer.ok) return;
  const opened = find("panel").querySelector("details")?.open;
  find("panel").innerHTML = await answer.text();
  if (opened) find("panel").querySelector("details")?.setAttribute("open", "");
  readyPanel();
  if (tellOtherTabs) tabs?.postMessage("changed");
}

function readyPanel() {
  const button = find("refresh");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await lookAgain(false);
    find("refresh").focus();
  });
  tick();
}

function tick() {
  const age = document.querySelector("[data-signed]");
  if (!age) return;
  const seconds = Math.max(0, Math.floor(Date.now() / 1000) - Number(age.dataset.signed));
  const [count, unit] =
    seconds < 60 ? [seconds, "second"]
    : seconds < 3600 ? [Math.floor(seconds / 60), "minute"]
    : seconds < 86400 ? [Math.floor(seconds / 3600), "hour"]
    : [Math.floor(seconds / 86400), "day"];
  age.textContent = `${count} ${unit}${count === 1 ? "" : "s"} old`;
}

readyPanel();
setInterval(tick, 1000);
tabs?.addEventListener("message", () => lookAgain(false));
tabs?.postMessage("changed");
// A page that comes back out of the browser's memory shows an old ticket.
addEventListener("pageshow", (event) => event.persisted && lookAgain(false));

// --- Light and dark: a plain cookie, so that the server draws the next page right from the start ---

const theme = find("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemDark.matches;
}

function nameTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
}

theme.hidden = false;
nameTheme();
systemDark.addEventListener("change", nameTheme);
theme.addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  document.cookie = `theme=${chosen}; Path=/; Max-Age=31536000; SameSite=Lax`;
  nameTheme();
  lookAgain(true);
});

// On a phone the menu is one line that scrolls: bring the current page into it.
const current = document.querySelector(".pages [aria-current]");
const menu = current?.closest("ol");
if (menu && menu.scrollWidth > menu.clientWidth) {
  menu.scrollLeft = current.offsetLeft - (menu.clientWidth - current.offsetWidth) / 2;
}

// --- Visit counter: ten requests with one ticket ---

if (find("race")) {
  find("race").hidden = false;
  find("ten").addEventListener("click", async () => {
    // What the session holds, not what the pages showed: with a store they are drawn before the last of them has its turn.
    const count = async () => JSON.parse((await (await fetch("/session.json", { cache: "no-store" })).json()).session).visits ?? 0;
    const before = await count();
    await Promise.all(Array.from({ length: 10 }, () => fetch("/counter", { cache: "no-store" }).then((answer) => answer.text())));
    const last = await count();
    find("visits").textContent = String(last);
    find("ten-result").textContent = `Ten requests went out, ${last - before} of them counted.`;
    lookAgain(true);
  });
}

// --- Flash messages: fetched by a script instead of shown by a page ---

if (find("as-json")) {
  find("as-json").hidden = false;
  find("as-json").addEventListener("click", async () => {
    const messages = await (await fetch("/flash/messages")).json();
    find("json-result").hidden = false;
    find("json-result").textContent = JSON.stringify(messages);
    lookAgain(true);
  });
}

// --- Change your ticket: each letter becomes a button; arrow keys move along them ---

if (find("letters")) {
  const position = find("position");
  const letters = [];
  for (const part of find("letters").childNodes) {
    if (part.nodeType !== Node.ELEMENT_NODE) continue;
    const text = [...part.textContent];
    part.textContent = "";
    for (const character of text) {
      const letter = document.createElement("button");
      letter.type = "button";
      letter.tabIndex = -1;
      letter.textContent = character;
      letters.push(letter);
      letter.dataset.position = letters.length;
      letter.setAttribute("aria-label", `Character ${letters.length}, ${character}`);
      part.append(letter);
    }
  }
  const choose = (number, focus) => {
    const chosen = letters[Math.min(Math.max(number, 1), letters.length) - 1];
    for (const letter of letters) {
      letter.setAttribute("aria-pressed", String(letter === chosen));
      letter.tabIndex = letter === chosen ? 0 : -1;
    }
    position.value = chosen.dataset.position;
    if (focus) chosen.focus();
  };
  find("letters").setAttribute("role", "group");
  find("letters").setAttribute("aria-label", "The characters of your ticket");
  find("letters").addEventListener("click", (event) => {
    if (event.target.dataset.position) choose(Number(event.target.dataset.position), true);
  });
  find("letters").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(Number(position.value) + step, true);
  });
  position.addEventListener("input", () => position.value && choose(Number(position.value), false));
  choose(Number(position.value), false);
}
