// Keeps the page fresh: when something happens to a person, that person's card is fetched anew.
// Without this file the page works the same, by its forms and the reload link.
const last = Number(document.body.dataset.last);
const alone = location.pathname.startsWith("/people/");
const waiting = new Map();
let pressed = 0; // When; a release outside of the window may never be told.
for (const type of ["pointerdown", "pointerup", "pointercancel"]) {
  document.addEventListener(type, () => { pressed = type === "pointerdown" ? Date.now() : 0; }, true);
}

// Makes one element as another is. What is the same in both stays where it is, so that nobody's
// focus, selection or next press goes astray because something else came in.
function patch(old, wanted) {
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType !== 1 || old.nodeName !== wanted.nodeName || old.id !== wanted.id) {
    old.replaceWith(wanted);
    return;
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const children = [...wanted.childNodes];
  let at = old.firstChild;
  children.forEach((child, index) => {
    let same = at;
    while (same && !same.isEqualNode(child)) same = same.nextSibling;
    if (same) {
      while (at !== same) at = drop(at);
      at = at.nextSibling;
    } else if (at && !children.slice(index + 1).some((later) => at.isEqualNode(later))) {
      const next = at.nextSibling;
      patch(at, child);
      at = next;
    } else {
      old.insertBefore(child, at);
    }
  });
  while (at) at = drop(at);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

async function fresh(id, url) {
  const old = document.getElementById(id); // A card, the panel, or the thread that is being read.
  if (!old) return;
  const busy = [...old.querySelectorAll("input:not([type=hidden]),textarea")]
    .some((field) => field.value !== field.defaultValue);
  if (busy) return later(id, url, 1000); // Never take away what somebody is writing.
  if (Date.now() - pressed < 2000) return later(id, url, 200); // Nor what is being pressed.
  const answer = await fetch(url, { headers: alone ? { "x-alone": "1" } : {} });
  if (!answer.ok) return;
  const open = new Set([...old.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  const box = document.createElement("template");
  box.innerHTML = await answer.text();
  const card = box.content.getElementById(id);
  if (!card) return;
  for (const summary of card.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  patch(old, card);
}

function later(id, url, ms = 120) {
  clearTimeout(waiting.get(id));
  waiting.set(id, setTimeout(() => fresh(id, url), ms));
}

function card(id) {
  later(`card-${id}`, `/people/${id}/card`);
  if (alone) later("thread", location.pathname + location.search);
}
const panel = (ms) => later("stand-ins", "/stand-ins", ms);

function happened(event) {
  const line = JSON.parse(event.data);
  if (line.number <= last) return;
  const of = (e) => line.who === "" || e.dataset.person === line.who || e.dataset.address === line.who;
  const quiet = ["call", "fault"].includes(event.type);
  if (!quiet) for (const e of document.querySelectorAll("[data-person]")) if (of(e)) card(e.dataset.person);
  panel(quiet ? 800 : 300);
}

const events = new EventSource("/events");
for (const kind of ["mail", "push", "phone", "report", "call", "fault", "admin", "clock", "google"]) {
  events.addEventListener(kind, happened);
}

// Forms on a card are sent without leaving the place; the answer comes with the fresh card.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.hasAttribute("data-live")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  let said = "The stand-ins do not answer. Are they still running?";
  try {
    // form.action would be the button of that name.
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: fields });
    said = new URL(answer.url).searchParams.get("said");
    form.reset();
  } catch {
    for (const button of buttons) button.disabled = false;
  }
  document.querySelector(".flash")?.remove();
  if (said) {
    const words = document.createElement("p");
    words.className = "flash";
    words.setAttribute("role", "status");
    words.textContent = said;
    document.getElementById("main").prepend(words);
  }
  const person = form.closest("[data-person]")?.dataset.person;
  if (person) card(person);
  panel(0);
});
