// Lets the sheep of the wall move while they are looked at, or have the focus; still for those who asked for less motion.
"use strict";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !still.matches) target.play().catch(() => {});
    else target.pause();
  }
});
document.querySelectorAll(".wall video").forEach((video) => seen.observe(video));
document.getElementById("hold")?.addEventListener("click", (event) => {
  const videos = [...document.querySelectorAll(".wall video")];
  const moves = videos.some((video) => !video.paused);
  videos.forEach((video) => (moves ? video.pause() : video.play().catch(() => {})));
  event.target.textContent = moves ? "Let them move" : "Hold them";
});
