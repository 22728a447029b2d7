// The page: takes a picture in, asks the server, shows what the networks say. No library, nothing from the internet.

import { element, fillCard, makeCard, named, sentence, showLook } from "./answers.js";
import { makeCamera } from "./camera.js";
import { makeBoard } from "./drawing.js";

const at = (id) => document.getElementById(id);
const page = await (await fetch("networks")).json();
const cards = page.networks.map(makeCard);
const given = { blob: null, name: "", url: null };
let asking = null;
let looking = null;

function setTitle() {
  const count = page.networks.length;
  const title = count === 1 ? "Try a network" : `Try ${count} networks`;
  document.title = `${title}: ${page.networks.map((network) => network.name).join(", ")}`;
  at("networks").append(...cards.map((each) => each.card));
  const kinds = page.networks.map((network) => network.input);
  at("foot").textContent =
    `Every picture, also a drawing, is read by EcoNet's one decoder and brought to what a network takes ` +
    `(${[...new Set(kinds)].join("; ")}). Probabilities say how sure a network is among its own classes; ` +
    `of a picture of anything else it names one of them too. A file that holds confidence notices many such ` +
    `pictures, not all.`;
}

function trouble(told) {
  const box = at("trouble");
  box.hidden = told === null;
  if (told === null) return;
  box.replaceChildren(element("p", {}, `why: ${told.why}`), element("p", {}, `try: ${told.try}`));
  // What was answered to the picture before would stand there as if it were about this one.
  for (const { body } of cards) body.replaceChildren();
  speak(`No answer: ${told.error}`, true);
}

function speak(said, waiting) {
  at("spoken").classList.toggle("waiting", waiting);
  at("spoken").replaceChildren(said);
}

// Sends the picture to one address of the server; `signal` gives it up.
function send(address, signal) {
  return fetch(at("swap").checked ? `${address}?swap=1` : address, {
    method: "POST",
    body: given.blob,
    headers: { "Content-Type": "application/octet-stream" },
    signal,
  });
}

function noServer() {
  trouble({ error: "the server does not answer", why: "it was stopped, or is busy", try: "start `econet serve` again" });
}

async function ask() {
  asking?.abort();
  looking?.abort();
  offerLook(false);
  const mine = (asking = new AbortController());
  if (given.blob.size > page.most_bytes) {
    trouble({
      error: "this file is too large",
      why: `it has ${(given.blob.size / 1e6).toFixed(1)} MB; the page takes up to ${page.most_bytes / 1e6} MB`,
      try: "save it smaller",
    });
    return;
  }
  const late = setTimeout(() => speak("Asking …", true), 300);
  try {
    const response = await send("answer", mine.signal);
    const found = await response.json();
    if (!response.ok) {
      trouble(found);
      return;
    }
    trouble(null);
    for (const [place, answer] of found.answers.entries()) fillCard(cards[place].body, answer, page);
    speak(sentence(found.answers, page.same_classes), false);
    offerLook(true);
  } catch (error) {
    if (!mine.signal.aborted) noServer();
  } finally {
    clearTimeout(late);
  }
}

function offerLook(offered) {
  at("look-field").hidden = !offered;
  at("look-state").textContent = "";
}

// On demand: a map takes some hundred answers of each network.
async function look() {
  looking?.abort();
  const mine = (looking = new AbortController());
  at("look-state").textContent = "Looking …";
  try {
    const response = await send("map", mine.signal);
    const found = await response.json();
    if (!response.ok) {
      at("look-state").textContent = `No map: ${found.error}; ${found.why}`;
      return;
    }
    for (const [place, each] of found.maps.entries()) showLook(cards[place].body, each, page.scale);
    at("look-state").textContent = `Looked: ${found.maps.map((each) => each.place).join("; ")}`;
  } catch (error) {
    if (!mine.signal.aborted) noServer();
  }
}

function take(blob, name, { shown = true } = {}) {
  if (!blob) return;
  Object.assign(given, { blob, name });
  if (given.url) URL.revokeObjectURL(given.url);
  given.url = shown ? URL.createObjectURL(blob) : null;
  at("given").hidden = !shown;
  if (shown) {
    at("given-picture").hidden = false;
    at("given-picture").src = given.url;
    at("given-name").textContent = name;
  }
  ask();
}

function takeFirst(files) {
  const file = [...files].find((each) => each.type.startsWith("image/")) ?? files[0];
  if (file) take(file, file.name);
}

function setFiles() {
  at("file").addEventListener("change", (event) => {
    takeFirst(event.target.files);
    // So that the same file, mended meanwhile, can be chosen again.
    event.target.value = "";
  });
  at("given-picture").addEventListener("load", () => {
    const picture = at("given-picture");
    picture.classList.toggle("crisp", Math.max(picture.naturalWidth, picture.naturalHeight) < 128);
  });
  at("given-picture").addEventListener("error", () => {
    at("given-picture").hidden = true;
    at("given-name").textContent = `${given.name} (this browser cannot show it)`;
  });
  at("swap").addEventListener("change", () => given.blob && ask());
}

function setDropping() {
  const over = (on) => document.body.classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) over(false); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    takeFirst(event.dataTransfer.files);
  });
}

function setPasting() {
  document.addEventListener("paste", (event) => takeFirst(event.clipboardData.files));
  const nothing = { error: "no picture was pasted", why: "the clipboard holds none, or may not be read", try: "copy a picture first, then press Ctrl+V here" };
  if (!navigator.clipboard?.read) at("paste").hidden = true;
  at("paste").addEventListener("click", async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((each) => each.startsWith("image/"));
        if (type) {
          take(await item.getType(type), "pasted picture");
          return;
        }
      }
      trouble(nothing);
    } catch {
      trouble(nothing);
    }
  });
}

function setSamples() {
  at("samples").hidden = page.samples.length === 0;
  for (const sample of page.samples) {
    const picture = element("img", { src: sample.source, alt: "" });
    picture.addEventListener("load", () => { if (picture.naturalWidth < 128) picture.className = "crisp"; });
    const button = element("button", { type: "button" }, picture, named(sample.label));
    button.addEventListener("click", async () => take(await (await fetch(sample.source)).blob(), `${sample.label} (${sample.data})`));
    at("sample-list").append(element("li", {}, button));
  }
}

function setDrawing() {
  const [first] = page.networks;
  const gray = page.networks.every((network) => network.gray);
  const { ground } = gray ? first : page.networks.find((network) => !network.gray);
  at("shade-field").hidden = !gray;
  at("colour-field").hidden = gray;
  at("shade").value = ground === "black" ? 255 : 0;
  const like = gray && ground === "black" ? "White on black, as the training pictures mostly are. " : "";
  at("board-how").textContent =
    `${like}The drawing is a picture of 280 × 280 pixels; like any other it is shrunk to ` +
    `${[...new Set(page.networks.map((network) => network.input))].join(" and ")}, smoothly, ` +
    `so fill the board and use a thick pen.`;
  makeBoard({
    canvas: at("board"), cursor: at("cursor"), size: at("pen-size"), shade: at("shade"), colour: at("colour"),
    eraser: at("eraser"), undo: at("undo"), clear: at("clear"), penState: at("pen-state"), gray, ground,
    onDrawing: (blob) => take(blob, "drawing", { shown: false }),
  });
  at("draw-toggle").addEventListener("click", () => {
    const open = at("draw").hidden;
    at("draw").hidden = !open;
    at("draw-toggle").setAttribute("aria-expanded", String(open));
  });
}

at("swap-field").hidden = !page.networks.some((network) => network.gray);
setTitle();
setFiles();
setDropping();
setPasting();
setSamples();
setDrawing();
at("look").addEventListener("click", look);
makeCamera({
  panel: at("camera"), toggle: at("camera-toggle"), viewfinder: at("viewfinder"), take: at("take"),
  onPicture: take, onTrouble: trouble,
});
document.documentElement.dataset.ready = "yes";
