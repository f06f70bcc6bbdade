// What the charts share: boxes that follow the window, axes, and a tip for the point that is nearest.
const WATCHED = new ResizeObserver((entries) => entries.forEach(({ target }) => redraw(target)));
const DRAWN = new WeakMap();

// A box that `draw(width)` fills, anew whenever its width changes.
function figure(label, draw, properties = {}) {
  const box = el("div", { class: "figure", ...properties });
  DRAWN.set(box, { draw, label, width: 0 });
  WATCHED.observe(box);
  return box;
}

function redraw(box) {
  const drawn = DRAWN.get(box);
  const width = Math.floor(box.clientWidth);
  if (!width || width === drawn.width) return;
  drawn.width = width;
  const picture = drawn.draw(width);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", drawn.label);
  box.replaceChildren(picture);
}

function linear(domain, range) {
  const [low, high] = domain;
  return (value) => range[0] + ((value - low) / (high - low || 1)) * (range[1] - range[0]);
}

function niceTicks(low, high, count) {
  const rough = (high - low || Math.abs(high) || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough - 1e-12 * power);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) ticks.push(i * step);
  return ticks;
}

// The ticks of one axis as text, all with as many decimals as one of them needs.
function alike(ticks) {
  const texts = ticks.map(tick);
  if (texts.some((text) => /[e,]/.test(text))) return texts;
  const decimals = Math.max(0, ...texts.map((text) => (text.split(".")[1] ?? "").length));
  return ticks.map((value) => value.toFixed(decimals));
}

function bounds(values, margin = 0.06) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = (high - low || Math.abs(high) || 1) * margin;
  return [low - room, high + room];
}

// Where an axis may end: below values so far away that next to them nothing else could be seen.
function ceiling(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, most, high] = [sorted[0], sorted[Math.floor(0.75 * (sorted.length - 1))], sorted.at(-1)];
  return high - most > 20 * (most - low) && most > low ? most + 2 * (most - low) : high;
}

// An x-y frame: horizontal grid lines, y ticks left, x ticks below. `xTicks`: [value, text].
function frame({ width, height, x, y, xTicks, yTicks, xLabel, left = 46 }) {
  const texts = alike(yTicks);
  return [
    yTicks.map((value, i) => svg("g", { class: "tick" },
      svg("line", { class: "grid", x1: left, x2: width - 6, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value), dy: "0.32em", "text-anchor": "end" }, texts[i]))),
    xTicks.map(([value, text]) => svg("g", { class: "tick" },
      svg("line", { class: "stub", x1: x(value), x2: x(value), y1: height - 34, y2: height - 30 }),
      svg("text", { x: x(value), y: height - 17, "text-anchor": "middle" }, text))),
    svg("line", { class: "axis", x1: left, x2: width - 6, y1: height - 34, y2: height - 34 }),
    xLabel ? svg("text", { class: "label", x: width - 6, y: height - 2, "text-anchor": "end" }, xLabel) : null,
  ];
}

// Points that can be pointed at, or walked through with the arrow keys. `points`: {x, y, text, method}.
function pointable(picture, points, emphasise = () => {}) {
  const ring = svg("circle", { class: "ring", r: 8, visibility: "hidden" });
  let current = -1;
  const show = (place, spoken) => {
    current = place;
    const point = points[place];
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    emphasise(point ? point.method : null);
    if (!point) return hideTip();
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    showTip(picture, point);
    if (spoken) byId("live").textContent = point.text.join(", ");
    return undefined;
  };
  const leave = () => show(-1);
  picture.append(ring);
  fill(picture, {
    tabindex: points.length ? 0 : null,
    onpointermove: (event) => show(closest(picture, points, event)),
    onpointerleave: leave,
    onblur: leave,
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape" && current >= 0) return event.stopPropagation(), event.preventDefault(), leave();
      if (!step || !points.length) return undefined;
      event.preventDefault();
      const from = current < 0 && step < 0 ? 0 : current; // backwards from nowhere: the last one
      return show((from + step + points.length) % points.length, true);
    },
  });
  return picture;
}

function closest(picture, points, event) {
  const box = picture.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [best, least] = [-1, 28 ** 2];
  points.forEach((point, i) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

const TIP = byId("tip"); // it may lie in a dialog that is drawn anew, and be in no document then

function showTip(picture, point) {
  const [first, ...rest] = point.text;
  TIP.replaceChildren(el("strong", {}, first), ...rest.map((line) => el("span", {}, line)));
  (picture.closest("dialog") ?? document.body).append(TIP); // a modal dialog lies above everything outside it
  TIP.hidden = false;
  const box = picture.getBoundingClientRect();
  const [x, y] = [box.left + point.x, box.top + point.y];
  const left = Math.min(Math.max(8, x - TIP.offsetWidth / 2), document.documentElement.clientWidth - TIP.offsetWidth - 8);
  const above = y - TIP.offsetHeight - 14;
  TIP.style.setProperty("left", `${left}px`);
  TIP.style.setProperty("top", `${above > 8 ? above : y + 16}px`);
}

function hideTip() {
  TIP.hidden = true;
}

// Let one method stand out wherever series are drawn; null: all alike.
function emphasise(method) {
  document.querySelectorAll("[data-series]").forEach((node) => {
    node.classList.toggle("dim", method !== null && Number(node.dataset.series) !== method);
  });
}
