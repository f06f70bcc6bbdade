// Elements, numbers and names. All text becomes text nodes: a name cannot become markup.
const SVG = "http://www.w3.org/2000/svg";

const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

function fill(node, properties, children = []) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") Object.entries(value).forEach(([key, item]) => node.style.setProperty(key, item));
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const byId = (id) => document.getElementById(id);
const content = (id) => byId(id).querySelector(".content");

// So many decimals, as Python writes them: a tie goes to the even digit, where toFixed takes the larger number.
function fixed(value, digits) {
  if (Math.abs(value * 2 ** (digits + 1)) % 2 !== 1) return value.toFixed(digits); // only such a number is a tie
  const whole = Math.floor(value * 10 ** digits);
  return ((whole + Math.abs(whole % 2)) / 10 ** digits).toFixed(digits);
}

// A score never reads as zero unless it is zero: four significant digits where its size is unusual, as Python writes them.
function score(value) {
  if (value === null) return "undefined";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return fixed(value === 0 ? 0 : value, 3);
  return value.toExponential(3).replace(/e([+-])(\d)$/, "e$10$2");
}

function percent(value) {
  if (value === null) return "–";
  const size = fixed(Math.abs(value), 1);
  return `${size === "0.0" ? "" : value > 0 ? "+" : "−"}${size} %`;
}

const chance = (p) => (p === null ? "–" : p < 0.0001 ? "< 0.0001" : fixed(p, 4));
const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

function seconds(value) {
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function tick(value) {
  const size = Math.abs(value);
  if (size >= 1e7) return Number(value.toPrecision(6)).toExponential().replace("e+", "e");
  return size >= 10000 ? value.toLocaleString("en") : String(Number(value.toPrecision(6)));
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const params = (values) => Object.entries(values).map(([name, value]) => `${name} = ${plain(value)}`).join(", ");

function labelsName(ratio) {
  const [, count] = /^n(\d+)$/.exec(ratio) ?? [];
  const [, share] = /^r(\d+)$/.exec(ratio) ?? [];
  if (count) return Number(count).toLocaleString("en");
  return share ? `${Number(share)} %` : ratio === "full" ? "all" : ratio;
}

const labelsPhrase = (ratio) => (ratio === "full" ? "all labels" : `${labelsName(ratio)} labels`);

// A row's name with its badge beside it, also where the name needs several lines.
const rowName = (badge, ...name) => el("th", { scope: "row", class: "name" }, el("span", { class: "beside" }, badge, el("span", {}, name)));

// A table in a box that scrolls by itself; its first column stays.
const scrolling = (id, label, table) => el("div", { class: "scroll", id, tabindex: 0, role: "region", "aria-label": label }, table);

const facts = (pairs) =>
  el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== "").map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));

// One choice of a few: radio buttons that look like one control; a list where they would not fit.
function choice({ id, legend, options, value, change }) {
  const width = options.reduce((sum, option) => sum + option.name.length + 3, 0);
  if (options.length === 1) return el("div", { class: "choice" }, el("span", { class: "legend" }, legend), el("span", { class: "only" }, options[0].name));
  if (options.length > 5 || width > 44) {
    const items = options.map((option) => el("option", { value: option.value, selected: option.value === value }, option.name + (option.away ? " ·" : "")));
    return el("div", { class: "choice" }, el("label", { class: "legend", for: id }, legend),
      el("select", { id, onchange: (event) => change(event.target.value) }, items));
  }
  const radios = options.map((option, i) => el("label", { class: option.away ? "away" : null, title: option.away },
    el("input", { type: "radio", name: id, id: `${id}-${i}`, value: option.value, checked: option.value === value, onchange: () => change(option.value) }),
    el("span", {}, option.name)));
  return el("fieldset", { class: "choice", id }, el("legend", {}, legend), el("div", { class: "segments" }, radios));
}
