"use strict";

const part = (id) => document.getElementById(id);
const answers = part("answers");
const limits = { atOnce: 4, cards: 50 };
const ready = describe();
let queue = Promise.resolve();

async function describe() {
  const model = await (await fetch("/page.json")).json();
  document.title = `${model.name} - tftransfer`;
  part("name").textContent = model.name;
  part("facts").textContent =
    `version ${model.version} · ${model.labels} labels · ` +
    `${model.image_size} × ${model.image_size} pixels · ${model.engine}`;
  return model;
}

function take(files) {
  const cards = [...files].map((file) => [file, newCard(file)]);
  answers.prepend(...cards.map(([, card]) => card));
  while (answers.children.length > limits.cards) answers.lastElementChild.remove();
  for (let i = 0; i < cards.length; i += limits.atOnce) {
    const some = cards.slice(i, i + limits.atOnce);
    queue = queue.then(() => Promise.all(some.map(([file, card]) => ask(file, card))));
  }
}

function newCard(file) {
  const card = part("card").content.firstElementChild.cloneNode(true);
  const picture = card.querySelector("img");
  picture.src = URL.createObjectURL(file);
  picture.alt = file.name || "pasted picture";
  picture.onload = () => URL.revokeObjectURL(picture.src);
  picture.onerror = () => {
    card.querySelector("figure").className = "none";
    card.classList.add("alone");
  };
  card.querySelector("h2").textContent = file.name || "pasted picture";
  card.className = "busy";
  card.querySelector(".note").textContent = "looking ...";
  return card;
}

async function ask(file, card) {
  try {
    const model = await ready;
    if (file.size * 4 / 3 + 100 > model.max_body)
      throw new Error(`${megabytes(file.size)} is too large: ` +
        `${megabytes(model.max_body * 3 / 4)} at most.`);
    const body = JSON.stringify({ instances: [{ b64: await base64(file) }] });
    const begin = performance.now();
    const where = `/v1/models/${encodeURIComponent(model.name)}:predict`;
    const answer = await fetch(where, {
      method: "POST", headers: { "Content-Type": "application/json" }, body });
    const passed = performance.now() - begin;
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    const [one] = found.predictions;
    if (one.error) throw new Error(sentence(one.error));
    show(card, one, passed);
  } catch (error) {
    const lost = error instanceof TypeError; // what fetch throws without a server
    fail(card, lost ? "The server does not answer. Is it still running?" : error.message);
  }
}

function show(card, { labels, scores }, passed) {
  const rows = labels.map((label, i) => {
    const row = document.createElement("li");
    const name = row.appendChild(document.createElement("span"));
    name.textContent = label;
    const share = row.appendChild(document.createElement("b"));
    share.textContent = `${(100 * scores[i]).toFixed(1)} %`;
    const bar = row.appendChild(document.createElement("div"));
    bar.className = "bar";
    bar.appendChild(document.createElement("i")).style.width = `${100 * scores[i]}%`;
    return row;
  });
  card.classList.remove("busy");
  card.querySelector("ol").replaceChildren(...rows);
  card.querySelector(".note").textContent = `answered in ${Math.round(passed)} ms`;
}

function fail(card, text) {
  card.classList.remove("busy");
  card.classList.add("bad");
  card.querySelector(".note").textContent = text;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("The file cannot be read."));
    reader.readAsDataURL(file);
  });
}

const drop = part("drop");
const picker = part("file");
picker.addEventListener("change", () => { take(picker.files); picker.value = ""; });
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files);
});
