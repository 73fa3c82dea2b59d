// The live road: adds a line at the top of the list for each thing that happens. Without this file
// the page shows the same lines after a reload.
const road = document.getElementById("road");
const mark = document.getElementById("live");
const word = document.getElementById("live-word");
const pause = document.getElementById("pause");
const max = Number(road.dataset.max) || 40;
let paused = false;
let kept = [];

// Icons are taken from a template that the page brings, so that there is one place for their shapes.
const icons = document.getElementById("road-icons").content;

function entry(line) {
  const item = document.createElement("li");
  item.className = `lane-${line.lane} tone-${line.tone} new`;
  const time = document.createElement("time");
  time.dateTime = line.at;
  time.title = line.at;
  time.textContent = line.clock;
  const body = document.createElement(line.link ? "a" : "span");
  if (line.link) body.href = line.link;
  else body.className = "still";
  const text = document.createElement("span");
  text.textContent = line.text;
  const icon = icons.querySelector(`.i-${line.icon}`);
  if (icon) body.append(icon.cloneNode(true));
  body.append(text);
  item.append(time, body);
  return item;
}

function add(line) {
  if (paused) {
    kept.push(line);
    if (kept.length > max) kept.shift();
    pause.textContent = `Go on (${kept.length})`;
    return;
  }
  document.getElementById("road-empty")?.remove();
  road.prepend(entry(line));
  while (road.children.length > max) road.lastElementChild.remove();
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  if (paused) return;
  const waiting = kept;
  kept = [];
  waiting.forEach(add);
});

const feed = new EventSource("/api/live");
feed.onopen = () => {
  mark.hidden = false;
  pause.hidden = false;
  mark.classList.remove("off");
  word.textContent = "live";
};
feed.onerror = () => {
  mark.classList.add("off");
  word.textContent = "not connected, trying again";
};
feed.onmessage = (message) => {
  const line = JSON.parse(message.data);
  if (!(line.quiet && line.kind === "event")) add(line);
};
feed.addEventListener("more", (message) => {
  const { more, at, clock } = JSON.parse(message.data);
  const text = `and ${more} more at once; the lists have them all`;
  add({ kind: "more", lane: 0, tone: "plain", icon: "list", link: "/events", text, at, clock });
});
