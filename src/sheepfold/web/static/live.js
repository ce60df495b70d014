// Keeps the contact sheet true: for each event of a job, that job's part of the page is fetched anew, at most twice a second.
"use strict";

const jobs = document.getElementById("jobs");
const stale = new Set();
let timer = null;

function refreshLater(jobId) {
  stale.add(jobId);
  timer ??= setTimeout(refresh, 500);
}

async function refresh() {
  timer = null;
  const ids = [...stale];
  stale.clear();
  await Promise.all(ids.map(refreshJob));
}

async function refreshJob(id) {
  const answer = await fetch(`/fragments/jobs/${id}`);
  if (!answer.ok) return;
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  const fresh = template.content.firstElementChild;
  const known = document.getElementById(`job-${id}`);
  if (known === null) {
    jobs.querySelector(".empty")?.remove();
    jobs.prepend(fresh);
    return;
  }
  keepFilm(known, fresh);
  known.replaceWith(fresh);
}

// A film that plays goes on playing when the part around it is replaced.
function keepFilm(known, fresh) {
  const playing = known.querySelector("video");
  const next = fresh.querySelector("video");
  if (playing && next && playing.getAttribute("src") === next.getAttribute("src")) next.replaceWith(playing);
}

const events = new EventSource(`/events?after=${jobs.dataset.newestEvent}`);
events.onmessage = (message) => refreshLater(JSON.parse(message.data).job);
