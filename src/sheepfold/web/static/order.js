// An order's page: files dropped or chosen, sent with progress; what the farm says of it, in its own sentences.
"use strict";

const form = document.getElementById("order");
const trouble = form.querySelector(".trouble");
const bar = form.querySelector("progress");
const side = document.getElementById("appraisal");
const canvas = document.getElementById("sketch");
const READ = {
  number: (text) => (text.trim() === "" ? undefined : Number(text)),
  numbers: (text) => text.split(",").filter((word) => word.trim()).map(Number),
  flag: (_, field) => field.checked || undefined,
};

function isShown(field) {
  return field.closest("[hidden]") === null;
}

function browser(text) {
  const [name, platform] = text.split("|");
  return platform ? { name, platform } : name;
}

// The order as JSON: fields named spec.x are the kind's options, the others are the order's own.
function asked() {
  const order = { kind: form.action.split("/").at(-1), spec: {} };
  for (const field of form.elements) {
    if (!field.name || field.type === "file" || !isShown(field)) continue;
    if (field.type === "radio" && !field.checked) continue;
    const name = field.name.replace(/^spec\.|\[\]$/g, "");
    const target = field.name.startsWith("spec.") ? order.spec : order;
    if (field.name.endsWith("[]")) {
      const list = (target[name.replace("[]", "")] ??= []);
      if (field.checked) list.push(browser(field.value));
      continue;
    }
    const value = (READ[field.dataset.as] ?? ((text) => text || undefined))(field.value, field);
    if (value !== undefined) target[name] = value;
  }
  return order;
}

function body() {
  const data = new FormData();
  data.append("order", JSON.stringify(asked()));
  for (const field of form.querySelectorAll("input[type=file]")) {
    const file = isShown(field) ? field.files[0] : null;
    if (file) data.append("keepName" in field.dataset ? plainName(file.name) : field.name, file);
  }
  return data;
}

function plainName(name) {
  return name.replace(/[^A-Za-z0-9._-]/g, "_").replace(/^[^A-Za-z0-9]+/, "");
}

function say(sentence) {
  trouble.textContent = sentence;
  trouble.hidden = !sentence;
  if (sentence) trouble.scrollIntoView({ block: "nearest" });
}

function send(path, type) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = type;
    request.upload.onprogress = (event) => { bar.hidden = false; bar.max = event.total; bar.value = event.loaded; };
    request.onloadend = () => { bar.hidden = true; resolve(request); };
    request.send(body());
  });
}

// The farm's sentence stands in the page that it answers with.
function sentenceOf(answer) {
  return answer?.querySelector?.("[role=alert]")?.textContent || "The farm did not answer; try again in a minute.";
}

async function busy(deed) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  say("");
  try { await deed(); } finally { buttons.forEach((button) => { button.disabled = false; }); }
}

async function order() {
  const answer = await send(form.action, "document");
  if (answer.status === 201) location.assign(answer.getResponseHeader("Location"));
  else say(sentenceOf(answer.response));
}

async function check() {
  const answer = await send(`${form.action}/check`, "document");
  const found = answer.response?.getElementById("appraised");
  if (!found) { say(sentenceOf(answer.response)); return; }
  document.getElementById("appraised")?.remove();
  side.append(found);
}

async function sketch() {
  if (!canvas || !form.elements.genome.files.length) return;
  const answer = await fetch(`${form.action}/sketch`, { method: "POST", body: body() });
  canvas.hidden = !answer.ok;
  if (answer.ok) canvas.getContext("2d").drawImage(await createImageBitmap(await answer.blob()), 0, 0);
  else say(sentenceOf(new DOMParser().parseFromString(await answer.text(), "text/html")));
}

function showOnly() {
  for (const part of form.querySelectorAll("[data-only]")) {
    const [name, values] = part.dataset.only.split("=");
    part.hidden = !values.split(",").includes(form.elements[name].value);
  }
}

for (const drop of form.querySelectorAll(".drop")) {
  const input = drop.querySelector("input");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over-it"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over-it"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over-it");
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
form.addEventListener("submit", (event) => { event.preventDefault(); busy(order); });
form.addEventListener("change", (event) => { say(""); showOnly(); if (event.target.name === "genome") busy(sketch); });
document.getElementById("check").addEventListener("click", () => busy(check));
showOnly();
