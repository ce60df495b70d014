// Keeps pages true: for each event of the farm, the parts that it touches are fetched anew, at most once a second.
"use strict";

const live = document.querySelector("[data-live]");
const stale = { jobs: new Set(), tasks: new Set() };
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let timer = null;

async function fragment(path) {
  const answer = await fetch(path, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return null;
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  return template.content;
}

async function replace(path, id) {
  const fresh = (await fragment(path))?.getElementById(id);
  const known = document.getElementById(id);
  if (!fresh || !known) return known;
  if (known.outerHTML === fresh.outerHTML) return known;
  const active = document.activeElement;
  const focused = known.contains(active) ? active.getAttribute("href") : null;
  keepFilm(known, fresh);
  keepHands(known, fresh);
  known.replaceWith(fresh);
  keepPictures(known, fresh); // now that they belong to one document: to change it would load them anew
  if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  else if (fresh.contains(active)) active.focus({ preventScroll: true });
  globalThis.htmx?.process(fresh);
  return fresh;
}

// A film that plays goes on playing when the part around it is replaced.
function keepFilm(known, fresh) {
  const playing = known.querySelector("video");
  const next = fresh.querySelector("video");
  if (playing && next && playing.getAttribute("src") === next.getAttribute("src")) next.replaceWith(playing);
}

// What somebody has opened, is filling in, or has the focus on stays as it is when the part around it is replaced.
function keepHands(known, fresh) {
  for (const hand of known.querySelectorAll("[data-keep]")) {
    const next = fresh.querySelector(`#${CSS.escape(hand.id)}`);
    const isInUse = hand.dataset.touched || hand.contains(document.activeElement) || hand.open !== next?.open;
    if (next && isInUse) next.replaceWith(hand);
  }
}

addEventListener("input", ({ target }) => {
  const hand = target.closest("[data-keep]");
  if (hand) hand.dataset.touched = "yes";
});

// Pictures that are there stay the same elements, so that nothing flickers; those that have just arrived fade in.
function keepPictures(known, fresh) {
  const there = new Map([...known.querySelectorAll("img")].map((img) => [img.getAttribute("src"), img]));
  for (const img of fresh.querySelectorAll("img")) {
    const same = there.get(img.getAttribute("src"));
    if (same && there.delete(img.getAttribute("src"))) {
      same.alt = img.alt;
      img.replaceWith(same);
    } else if (!calm.matches) {
      img.addEventListener("load", () => img.animate({ opacity: [0, 1] }, 600), { once: true });
    }
  }
}

async function refreshCard(id) {
  if (document.getElementById(`job-${id}`)) return replace(`/fragments/jobs/${id}`, `job-${id}`);
  const fresh = (await fragment(`/fragments/jobs/${id}`))?.firstElementChild;
  const list = document.getElementById("jobs");
  const newest = Number(list.querySelector(".job")?.id.slice(4) ?? 0);
  if (!fresh || id < newest || document.getElementById(`job-${id}`)) return null;
  list.querySelector(".empty")?.remove();
  list.prepend(fresh);
  return fresh;
}

async function refreshTiles(jobId, tasks) {
  const seen = tasks.filter((id) => document.getElementById(`task-${id}`));
  if (!seen.length) return;
  const fresh = await fragment(`/jobs/${jobId}/tiles?ids=${seen.slice(0, 200).join(",")}`);
  for (const tile of [...(fresh?.children ?? [])]) document.getElementById(tile.id)?.replaceWith(tile);
}

const refreshers = {
  async home(jobs) {
    await Promise.all([replace("/fragments/now", "now"), ...jobs.map(refreshCard)]);
  },
  async job(jobs, tasks) {
    const id = Number(live.dataset.job);
    if (!jobs.includes(id)) return;
    await Promise.all([replace(`/jobs/${id}/head`, "head"), refreshTiles(id, tasks)]);
  },
  async machines() {
    await replace("/fragments/machines", "machines");
  },
};

async function refresh() {
  const [jobs, tasks] = [[...stale.jobs].sort((a, b) => a - b), [...stale.tasks]];
  stale.jobs.clear();
  stale.tasks.clear();
  try {
    await refreshers[live.dataset.live](jobs, tasks);
  } catch { /* the farm is away for a moment: the next event asks again */ }
  timer = null;
  if (stale.jobs.size) later();
}

function later() {
  timer ??= setTimeout(refresh, 700);
}

if (live) {
  const events = new EventSource(`/events${live.dataset.newestEvent ? `?after=${live.dataset.newestEvent}` : ""}`);
  events.onmessage = (message) => {
    const { job, tasks } = JSON.parse(message.data);
    stale.jobs.add(job);
    tasks.forEach((id) => stale.tasks.add(id));
    later();
  };
}

// The arrows turn the pages of frames, where nothing else wants them.
addEventListener("keydown", (event) => {
  const turn = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  if (!turn || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, video, .scroll, .player")) return;
  document.querySelector(`main a[rel=${turn}]`)?.click();
});

// What cannot be taken back asks once more: the first press only says so.
addEventListener("click", (event) => {
  const button = event.target.closest("[data-sure]");
  if (!button || button.dataset.asked) return;
  event.preventDefault();
  const words = button.innerHTML;
  button.dataset.asked = "yes";
  button.textContent = button.dataset.sure;
  button.addEventListener("blur", () => { button.innerHTML = words; delete button.dataset.asked; }, { once: true });
});

// A form that was sent shows it, and is not sent twice; who comes back to it may send it again.
addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.getAttribute("aria-busy")) event.preventDefault();
  else event.target.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  document.querySelectorAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));
});

// A page that answers a form stands where the form was: to load it anew sends nothing again, and leads somewhere.
if ("answersForm" in document.body.dataset && document.referrer.startsWith(`${location.origin}/`)) {
  history.replaceState(null, "", document.referrer);
}

// Keys, links and commands are copied by a button, where the browser lets a page do that.
if (navigator.clipboard) {
  for (const words of document.querySelectorAll("pre.words")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(words.textContent);
      button.textContent = "Copied";
    });
    words.after(button);
  }
}
