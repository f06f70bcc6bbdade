"use strict";
// The page of a saved model. Whatever comes from a table or a model becomes text, never HTML.

const BATCH = 25; // rows that are drawn at a time
const KINDS = { csv: "text/csv", tsv: "text/tab-separated-values", txt: "text/tab-separated-values", sdf: "chemical/x-mdl-sdfile", smi: "chemical/x-daylight-smiles" };
const EXAMPLE = "CC(=O)Oc1ccccc1C(=O)O aspirin\nCC(=O)Nc1ccc(O)cc1 paracetamol\nCN1C=NC2=C1C(=O)N(C(=O)N2C)C caffeine\n";
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");
const about = JSON.parse(main.dataset.about);
const mostBytes = Number(main.dataset.mostBytes);
const state = { file: null, result: "", rows: [], order: [], shown: 0 };

/** Return an element with attributes and children; a text is a text node. */
function made(tag, attributes = {}, ...children) {
  const drawn = ["svg", "rect", "circle"].includes(tag);
  const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function say(text) {
  byId("status").textContent = text;
  byId("error").textContent = "";
}

function refuse(text) {
  byId("status").textContent = "";
  byId("error").textContent = text;
}

const signed = (text) => text.replace(/^-/, "−");
const counted = (count, what) => `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;

/** Take a chosen or dropped file, or none. */
function take(file) {
  const kind = file ? KINDS[file.name.split(".").pop().toLowerCase()] : null;
  state.file = null;
  if (file && !kind) refuse(`${file.name}: give a CSV, TSV, SMILES or SD file; roftbench predict reads other tables.`);
  else if (file && file.size > mostBytes) refuse(`${file.name}: more than ${mostBytes / 1e6} MB; roftbench predict takes tables of any size.`);
  else {
    say("");
    state.file = file;
  }
  byId("chosen").hidden = state.file === null;
  byId("chosen").querySelector("span").textContent = state.file ? state.file.name : "";
  if (!state.file) byId("file").value = "";
}

async function predict() {
  const text = byId("smiles").value;
  const kind = state.file ? KINDS[state.file.name.split(".").pop().toLowerCase()] : "application/json";
  if (!state.file && !text.trim()) {
    refuse("There is no SMILES: paste one per line, or choose a table.");
    byId("smiles").focus();
    return;
  }
  byId("predict").disabled = true;
  say("Predicting…");
  try {
    const body = state.file || JSON.stringify({ smiles: text });
    const response = await fetch("predictions", { method: "POST", headers: { "Content-Type": kind }, body });
    const found = await response.json();
    if (response.ok) show(found);
    else refuse(`${found.error[0].toUpperCase()}${found.error.slice(1)}.`.replace(/\.\.$/, "."));
  } catch {
    refuse("The server does not answer: is roftbench serve still running?");
  } finally {
    byId("predict").disabled = false;
  }
}

function show(found) {
  state.result = found.result;
  state.rows = found.rows;
  const without = found.rows.filter((row) => row.values.length === 0).length;
  const none = without ? `, ${without.toLocaleString("en-US")} without a prediction` : "";
  byId("summary").textContent = `${counted(found.rows.length, "molecule")}${none}, ${found.seconds.toFixed(1)} s`;
  byId("download").href = `predictions/${found.result}.csv`;
  byId("results").hidden = false;
  say("");
  order();
  byId("results-title").focus();
  byId("results").scrollIntoView();
}

/** Order the rows as chosen; those without what they are ordered by come last. */
function order() {
  const [what, direction] = byId("order").value.split(" ");
  const key = (row) => (what === "similarity" ? row.similarity : row.values[0]?.text) || "";
  const places = [...state.rows.keys()];
  if (what !== "input") {
    const sign = direction === "down" ? -1 : 1;
    places.sort((a, b) => {
      const [one, other] = [key(state.rows[a]), key(state.rows[b])];
      if (!one || !other) return (one ? 0 : 1) - (other ? 0 : 1);
      return sign * (Number(one) - Number(other)) || a - b;
    });
  }
  state.order = places;
  state.shown = 0;
  byId("rows").replaceChildren();
  more();
}

function more() {
  const next = state.order.slice(state.shown, state.shown + BATCH);
  byId("rows").append(...next.map((place) => drawn(state.rows[place], place)));
  state.shown += next.length;
  const left = state.order.length - state.shown;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show ${Math.min(BATCH, left)} more of ${left.toLocaleString("en-US")}`;
  return next.length;
}

function drawn(row, place) {
  const title = made("h3", {}, row.name || `Molecule ${place + 1}`);
  const smiles = made("span", { class: "smiles" }, row.smiles);
  const facts = made("div", { class: row.values.length > 1 ? "facts many" : "facts" }, made("div", {}, title, smiles));
  if (row.values.length === 0) {
    facts.append(made("p", { class: "reason" }, row.reason ? `No prediction: ${row.reason}` : "No prediction"));
    return made("li", { class: "row none" }, facts);
  }
  facts.append(made("dl", {}, ...row.values.map(value)), marks(row));
  const picture = structure(place, "", `Structure of ${row.name || row.smiles}`, null);
  const neighbor = row.neighbor && row.neighbor.smiles ? nearest(row, place) : null;
  if (row.neighbor && !neighbor) facts.append(made("p", { class: "help" }, nearestText(row)));
  return made("li", { class: neighbor ? "row" : "row alone" }, picture, facts, neighbor);
}

function structure(place, which, alt, caption) {
  const source = `predictions/${state.result}/${place}${which}.svg`;
  const image = made("img", { src: source, alt, width: 320, height: 240, loading: "lazy", decoding: "async" });
  return made("figure", {}, image, caption);
}

function nearest(row, place) {
  const caption = made("figcaption", {}, made("b", {}, row.neighbor.name), ` ${labels(row.neighbor)}`);
  caption.prepend("Nearest in training: ");
  return structure(place, "/neighbor", `Structure of the nearest training molecule, ${row.neighbor.name}`, caption);
}

const nearestText = (row) => `Nearest in training: ${row.neighbor.name} ${labels(row.neighbor)}`;

function labels(neighbor) {
  const found = Object.entries(neighbor.labels);
  if (found.length === 0) return "";
  if (found.length === 1) return `measured ${signed(found[0][1])}`;
  return found.map(([task, label]) => `${task} ${signed(label)}`).join(", ");
}

function value(one) {
  const range = one.low ? `${signed(one.low)} to ${signed(one.high)}` : "";
  const spread = one.std ? `${range ? ", " : ""}SD ${one.std}` : "";
  const number = made("span", { class: "number" }, signed(one.text));
  const text = about.task === "classification" ? `${one.task}: probability of ${about.positive}` : one.task;
  const beside = range || spread ? made("span", { class: "range" }, ` ${range}${spread}`) : null;
  return made("div", { class: "value" }, made("dt", {}, text), made("dd", {}, number, beside), axis(one));
}

/** Draw a prediction and its interval on the range of the training labels; the numbers beside it say the same. */
function axis(one) {
  const ends = about.task === "classification" ? [0, 1] : about.ranges[one.task];
  const numbers = one.numbers.filter(Number.isFinite);
  if (!ends || numbers.length === 0) return null;
  const [low, high] = [Math.min(ends[0], ...numbers), Math.max(ends[1], ...numbers)];
  const at = (x) => (high > low ? (100 * (x - low)) / (high - low) : 50);
  const bar = (name, from, to, y, height) =>
    made("rect", { class: name, x: `${at(from)}%`, width: `${Math.max(at(to) - at(from), 0.4)}%`, y, height, rx: 2 });
  const parts = [bar("track", ends[0], ends[1], 5, 4)];
  if (numbers.length > 2) parts.push(bar("band", numbers[1], numbers[2], 3, 8));
  parts.push(made("circle", { class: "dot", cx: `${at(numbers[0])}%`, cy: 7, r: 5 }));
  const text = ends.map((end) => made("span", {}, signed(String(Number(end.toPrecision(3))))));
  const what = about.task === "classification" ? "" : made("span", {}, "training labels");
  text.splice(1, 0, what);
  const scale = { class: "axis", "aria-hidden": "true" };
  return made("div", scale, made("svg", {}, ...parts), made("div", { class: "ends" }, ...text));
}

const DOMAIN = { yes: "inside the domain", edge: "at the edge of the domain", no: "outside the domain" };

function marks(row) {
  const found = made("div", { class: "marks" });
  if (row.domain) found.append(made("span", { class: `badge ${row.domain}` }, DOMAIN[row.domain] || row.domain));
  if (row.similarity) found.append(made("span", { class: "badge" }, `similarity ${Number(row.similarity).toFixed(2)}`));
  return found;
}

function orders() {
  const what = about.task === "classification" ? "probability" : "prediction";
  const found = { "input up": "as given", "value down": `highest ${what}`, "value up": `lowest ${what}`, "similarity up": "least similar" };
  byId("order").append(...Object.entries(found).map(([name, text]) => made("option", { value: name }, text)));
}

orders();
byId("input").addEventListener("submit", (event) => {
  event.preventDefault();
  predict();
});
byId("smiles").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    byId("input").requestSubmit();
  }
});
byId("smiles").addEventListener("input", () => take(null));
byId("example").addEventListener("click", () => {
  byId("smiles").value = EXAMPLE;
  take(null);
  byId("smiles").focus();
});
byId("file").addEventListener("change", (event) => take(event.target.files[0] || null));
byId("remove").addEventListener("click", () => {
  take(null);
  byId("file").focus();
});
byId("order").addEventListener("change", order);
byId("more").addEventListener("click", () => {
  const before = state.shown;
  more();
  const first = byId("rows").children[before];
  if (first) {
    first.tabIndex = -1;
    first.focus();
  }
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // a file dropped beside the field must not replace the page
    byId("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}
document.documentElement.dataset.ready = "";
