// Walks the flock without a gap: one video plays while the other holds the next one at its first picture; they take
// turns. A loop leads back to itself or to an edge that leaves it; an edge leads to the loop where it ends.
"use strict";

const stage = document.getElementById("player");
const ways = JSON.parse(stage.dataset.ways);
const videos = [...stage.querySelectorAll("video")];
const caption = document.getElementById("playing");
const LOOPS_BEFORE_AN_EDGE = 2;
let shown = 0;
let present = null;
let turns = 0;

const isLoop = (way) => way.first === way.last;

// What may follow: whatever begins with the keyframe at which this one ends.
function following(way) {
  const edges = ways.filter((one) => !isLoop(one) && one.first === way.last);
  const loop = ways.find((one) => isLoop(one) && one.last === way.last);
  if (isLoop(way) && turns < LOOPS_BEFORE_AN_EDGE) return way;
  if (isLoop(way) && edges.length) return edges[Math.floor(Math.random() * edges.length)];
  return loop ?? edges[0] ?? ways[Math.floor(Math.random() * ways.length)];
}

function name(way) {
  return isLoop(way) ? `Sheep ${way.number}` : `From sheep ${way.first} to ${way.last}`;
}

function load(video, way) {
  video.dataset.number = way.number;
  if (video.getAttribute("src") !== way.film) video.src = way.film;
  else video.currentTime = 0;
}

function play(way) {
  turns = present === way ? turns + 1 : 1;
  present = way;
  const video = videos[shown];
  videos.forEach((one) => one.classList.toggle("shown", one === video));
  caption.textContent = name(way);
  caption.href = way.page;
  video.play().catch(() => {});
  load(videos[1 - shown], following(way));
}

function turn(video) {
  if (video !== videos[shown]) return;
  const next = videos[1 - shown];
  const way = ways.find((one) => String(one.number) === next.dataset.number);
  stage.dataset.joints = `${stage.dataset.joints ?? ""} ${present.last}>${way.first}`;
  shown = 1 - shown;
  play(way);
}

for (const video of videos) {
  video.addEventListener("ended", () => turn(video));
  video.addEventListener("error", () => setTimeout(turn, 1000, video));
}
const pauseButton = document.getElementById("pause");

function pauseOrGoOn() {
  const video = videos[shown];
  const was = video.paused;
  if (was) video.play().catch(() => {}); else video.pause();
  pauseButton.textContent = was ? "Pause" : "Go on";
}

function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else stage.requestFullscreen().then(() => stage.focus());
}

function skip() {
  if (videos[1 - shown].readyState >= 2) turn(videos[shown]);
}

// While the player has the focus, as it does when it fills the screen, where no button is in sight.
const KEYS = { " ": pauseOrGoOn, ArrowRight: skip, f: fill };
stage.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
pauseButton.addEventListener("click", pauseOrGoOn);
document.getElementById("full").addEventListener("click", fill);
if (ways.length) {
  const start = ways.find(isLoop) ?? ways[0];
  load(videos[0], start);
  play(start);
}
