// An order's page: files dropped or chosen, sent with progress; what the farm says of it, in its own sentences.
"use strict";

const form = document.getElementById("order");
const trouble = form.querySelector(".trouble");
const sending = form.querySelector(".sending");
const side = document.getElementById("appraisal");
const canvas = document.getElementById("sketch");
const kept = new Map(); // of each large file: its sending, and what the farm calls it then
let soon = null; // the look that is about to be asked for
let asking = null; // the look that is under way
let looks = 0; // sketches asked for
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
      const list = (target[name] ??= []);
      if (field.checked) list.push(field.dataset.as ? READ[field.dataset.as](field.value) : browser(field.value));
      continue;
    }
    const value = (READ[field.dataset.as] ?? ((text) => text || undefined))(field.value, field);
    if (Array.isArray(value)) target[name] = [...new Set([...(target[name] ?? []), ...value])];
    else if (value !== undefined) target[name] = value;
  }
  order.title ??= form.elements.title.placeholder || undefined;
  return order;
}

// What an order is called while nobody says otherwise: its file, or its address.
function suggestTitle() {
  const field = form.querySelector("[data-titles]");
  const name = field?.files ? field.files[0]?.name.replace(/\.\w+$/, "") : field?.value.replace(/^\w+:\/\/|\/$/g, "");
  form.elements.title.placeholder = (name ?? "").slice(0, 120);
}

// The files of the order by the names of its inputs.
function files() {
  const fields = [...form.querySelectorAll("input[type=file]")].filter((field) => isShown(field) && field.files[0]);
  return fields.map((field) => [field, field.files[0]])
    .map(([field, file]) => ["keepName" in field.dataset ? plainName(file.name) : field.name, file]);
}

// What is sent as the order: itself, its small files, and what the farm calls the large ones.
async function body() {
  const [order, data] = [asked(), new FormData()];
  for (const [name, file] of files()) {
    if (kept.has(file)) (order.uploads ??= {})[name] = await kept.get(file).name;
    else data.append(name, file);
  }
  data.append("order", JSON.stringify(order));
  return data;
}

// Large files are sent once, and the farm's name for them from then on. They are sent now, unless they are on their way; whatever is refused is thrown, and may be sent again.
async function keepLarge() {
  const large = files().map(([, file]) => file).filter((file) => file.size > Number(form.dataset.large));
  for (const file of large) {
    if (!kept.has(file)) kept.set(file, keep(file));
    try { await kept.get(file).name; } catch (refused) { kept.delete(file); throw refused; }
  }
}

function keep(file) {
  const sending = new XMLHttpRequest();
  const name = send(`${form.action}/files`, file, sending).then((answer) => {
    if (answer.status !== 201) throw answer;
    return answer.getResponseHeader("Upload");
  });
  return { sending, name };
}

// What is no longer chosen need not arrive.
function dropOthers() {
  const chosen = files().map(([, file]) => file);
  for (const [file, { sending }] of kept) {
    if (chosen.includes(file)) continue;
    sending.abort();
    kept.delete(file);
  }
}

// Of a long name its end stays, which says what the file is.
function plainName(name) {
  return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(-80).replace(/^[^A-Za-z0-9]+/, "") || "file";
}

// The names in a zip's table of contents, section 4.3.12 of PKWARE's APPNOTE; none where it has no plain one.
async function namesIn(file) {
  const tail = new DataView(await file.slice(-65_557).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) return [];
  const [size, from] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  const table = new DataView(await file.slice(from, from + Math.min(size, 32 * 1024 * 1024)).arrayBuffer());
  const names = [];
  for (let at = 0; at + 46 <= table.byteLength && table.getUint32(at, true) === 0x02014b50;) {
    const [name, extra, comment] = [28, 30, 32].map((place) => table.getUint16(at + place, true));
    names.push(new TextDecoder().decode(new Uint8Array(table.buffer, at + 46, name)));
    at += 46 + name + extra + comment;
  }
  return names;
}

// Fields that name a file of a zip offer those that it has; macOS packs a shadow of each besides.
async function offerNames() {
  for (const list of form.querySelectorAll("datalist[data-of]")) {
    const { of, ending } = list.dataset;
    const [file] = form.elements[of].files;
    const names = file ? await namesIn(file).catch(() => []) : [];
    if (form.elements[of].files[0] !== file) continue; // another was chosen meanwhile
    const meant = names.filter((name) => name.toLowerCase().endsWith(ending) && !/(^|\/)(\._|__MACOSX\/)/.test(name));
    list.replaceChildren(...meant.map((name) => new Option(name, name)));
  }
}

function say(sentence) {
  trouble.textContent = sentence;
  trouble.hidden = !sentence;
  if (sentence) trouble.scrollIntoView({ block: "nearest" });
}

function send(path, sent, request = new XMLHttpRequest()) {
  const [bar, words] = [sending.querySelector("progress"), document.getElementById("sent")];
  return new Promise((resolve) => {
    request.open("POST", path);
    request.responseType = "document";
    request.upload.onprogress = ({ loaded, total }) => {
      sending.hidden = total < 1024 * 1024;
      [bar.max, bar.value] = [total, loaded];
      words.textContent = loaded < total ? `${Math.round(loaded / 1e6)} of ${Math.round(total / 1e6)} MB sent` : "Sent; the farm looks at it.";
    };
    request.onloadend = () => { sending.hidden = true; resolve(request); };
    request.send(sent);
  });
}

// Sends the whole order, if it is still wanted when its large files are there. What the farm has forgotten of them is
// sent anew by whoever tries again.
async function sendOrder(path, request = new XMLHttpRequest(), isWanted = () => true) {
  try {
    await keepLarge();
    const whole = await body();
    const answer = isWanted() ? await send(path, whole, request) : request;
    if (answer.status === 404) kept.clear();
    return answer;
  } catch (refused) {
    return refused;
  }
}

// The farm's sentence stands in the page that it answers with.
function sentenceOf(answer) {
  return answer?.querySelector?.("[role=alert]")?.textContent || "The farm did not answer; try again in a minute.";
}

function forget() {
  clearTimeout(soon);
  const request = asking;
  asking = null;
  request?.abort();
}

// What the farm would miss first, in the words of the field's own label; the focus goes there.
function lack() {
  const field = [...form.querySelectorAll("[required]")].find((one) => isShown(one) && !one.value);
  if (!field) return "";
  field.focus();
  return `${field.labels[0].textContent.trim().split(":")[0]} is missing.`;
}

// Once, however often the button is pressed; it stays in the tab order meanwhile, so that the focus is not lost.
async function order() {
  if (form.getAttribute("aria-busy")) return;
  forget();
  say(lack());
  if (!trouble.hidden) return;
  form.setAttribute("aria-busy", "true");
  const answer = await sendOrder(form.action);
  if (answer.status === 201) { location.assign(answer.getResponseHeader("Location")); return; }
  form.removeAttribute("aria-busy");
  say(sentenceOf(answer.response));
}

async function check() {
  forget();
  const request = new XMLHttpRequest();
  asking = request;
  side.setAttribute("aria-busy", "true");
  const answer = await sendOrder(`${form.action}/check`, request, () => asking === request);
  if (asking !== request) return; // what it would tell has changed since
  asking = null;
  side.removeAttribute("aria-busy");
  const found = answer.response?.getElementById("appraised");
  if (found) side.replaceChildren(found);
  say(found ? "" : sentenceOf(answer.response));
}

function isWhole() {
  return [...form.querySelectorAll("[required]")].every((field) => !isShown(field) || field.value);
}

// Whoever changes something is told what it comes to, without asking; ordering does not wait for that.
function checkSoon() {
  forget();
  if (form.getAttribute("aria-busy")) return;
  if (isWhole()) soon = setTimeout(check, 400);
}

async function sketch() {
  looks += 1;
  const look = looks;
  const answer = await fetch(`${form.action}/sketch`, { method: "POST", body: await body() });
  if (look !== looks) return;
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

// A file dropped anywhere on the page is meant for the drop that it fell on, else for the first one.
function dropAt(target) {
  return target.closest?.(".drop") ?? [...form.querySelectorAll(".drop")].find(isShown);
}

function mark(drop) {
  form.querySelectorAll(".drop").forEach((one) => one.classList.toggle("over-it", one === drop));
}

addEventListener("dragover", (event) => { event.preventDefault(); mark(dropAt(event.target)); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(null); });
addEventListener("drop", (event) => {
  event.preventDefault();
  mark(null);
  const input = dropAt(event.target)?.querySelector("input");
  if (!input || !event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
form.addEventListener("submit", (event) => { event.preventDefault(); order(); });
form.addEventListener("change", ({ target }) => {
  say("");
  showOnly();
  suggestTitle();
  if (target.type === "file") offerNames();
  dropOthers();
  checkSoon();
  if (canvas && target.name === canvas.dataset.of && target.files.length) sketch().catch(() => {});
});
document.getElementById("check").addEventListener("click", () => {
  say(lack());
  if (trouble.hidden) check();
});
addEventListener("pageshow", () => form.removeAttribute("aria-busy")); // who comes back may order again
showOnly();
