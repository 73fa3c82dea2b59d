// Keeps the page fresh: when something happens to a person, that person's card is fetched anew.
// Without this file the page works the same, by its forms and the reload link.
const last = Number(document.body.dataset.last);
const alone = location.pathname.startsWith("/people/");
const waiting = new Map();

async function fresh(id, url) {
  const old = document.getElementById(id); // A card, the panel, or the thread that is being read.
  if (!old) return;
  const busy = [...old.querySelectorAll("input:not([type=hidden]),textarea")]
    .some((field) => field.value !== field.defaultValue);
  if (busy) return later(id, url, 1000); // Never take away what somebody is writing.
  const answer = await fetch(url, { headers: alone ? { "x-alone": "1" } : {} });
  if (!answer.ok) return;
  const open = new Set([...old.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  const focus = old.contains(document.activeElement) ? document.activeElement.textContent : null;
  const box = document.createElement("template");
  box.innerHTML = await answer.text();
  const card = box.content.getElementById(id);
  if (!card) return;
  for (const summary of card.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  old.replaceWith(card);
  if (focus) [...card.querySelectorAll("button,summary,a")].find((e) => e.textContent === focus)?.focus();
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
