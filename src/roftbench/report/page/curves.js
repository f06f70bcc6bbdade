// Label-ratio curves: a panel a data set, a line a method, mean and 95 % interval over seeds or folds.
const CURVE_POINTS = DATA.label_curves.map(([setting, dataset, method, labels, mean, low, high, n, complete, variant]) =>
  ({ setting, dataset, method, labels, mean, low, high, n, complete, variant }));

function curvePoints() {
  const here = (point) => ["model", "split", "train"].every((part) => DATA.settings[point.setting][part] === view.setting[part]);
  const full = (point) => DATA.settings[point.setting].label_ratio === "full";
  const own = CURVE_POINTS.filter((point) => here(point));
  const chosen = own.find((point) => point.setting === view.setting.place && !full(point)) ?? own.find((point) => !full(point));
  const networks = own.filter((point) => full(point) || point.variant === chosen?.variant);
  const terms = new Set(networks.map((point) => DATA.settings[point.setting].terms));
  const beside = CURVE_POINTS.filter((point) => DATA.settings[point.setting].baseline && terms.has(DATA.settings[point.setting].terms));
  const shown = (view.setting.baseline ? networks : [...networks, ...beside]).filter((point) => point.complete && point.mean !== null);
  return { points: shown, variant: chosen?.variant ?? "" };
}

function drawCurves() {
  const { points, variant } = curvePoints();
  const counts = (dataset) => distinct(points.filter((point) => point.dataset === dataset).map((point) => point.labels));
  const datasets = distinct(points.map((point) => point.dataset)).filter((dataset) => counts(dataset).length > 1).sort((a, b) => a - b);
  const phrase = [view.setting.model, `${view.setting.split} split`, variant, view.setting.baseline ? null : `${view.setting.train} training`].filter(Boolean).join(" · ");
  if (!datasets.length) {
    return content("curves").replaceChildren(el("p", { class: "where" }, phrase), ...ownMetricNote(),
      el("p", { class: "note" }, "Curves need scores at two or more numbers of labels, with all seeds or folds; there are none for this model, split and training."));
  }
  const drawn = points.filter((point) => datasets.includes(point.dataset));
  const methods = distinct(drawn.map((point) => point.method)).sort((a, b) => a - b);
  return content("curves").replaceChildren(
    el("p", { class: "where" }, phrase), ...ownMetricNote(), legend(methods),
    el("div", { class: "panels" }, datasets.map((dataset) => panel(dataset, drawn.filter((point) => point.dataset === dataset), methods))),
    el("p", { class: "note" }, `Points and bars: ${DATA.curve_note}. Points are moved a little sideways so that bars stay visible. `,
      "Those that lack seeds or folds are not drawn. With the keyboard: arrow keys walk through a panel’s points."));
}

function legend(methods) {
  return el("div", { class: "legend-row", role: "group", "aria-label": "Methods shown" }, methods.map((method) => {
    const { id, name } = DATA.methods[method];
    const shown = !view.hidden.has(id);
    const hide = () => {
      const next = new Set(view.hidden);
      if (shown) next.add(id); else next.delete(id);
      go({ hide: [...next].join(",") });
    };
    return el("button", { type: "button", class: "key", id: `key-${method}`, "aria-pressed": String(shown), vars: look(method), onclick: hide,
      onpointerenter: () => emphasise(method), onpointerleave: () => emphasise(null), onfocus: () => emphasise(method), onblur: () => emphasise(null) }, badge(method), name);
  }));
}

function panel(dataset, points, methods) {
  const { dataset: name, metric } = DATA.datasets[dataset];
  const shown = points.filter((point) => !view.hidden.has(DATA.methods[point.method].id));
  const label = `${name}: ${DATA.metrics[metric].name} against training labels, a line a method`;
  return el("div", { class: "panel" }, el("h4", {}, name, el("span", {}, ` test ${metricName(metric)}`)),
    shown.length ? figure(label, (width) => panelPicture(shown, points, methods, width), { id: `panel-${dataset}` }) : el("p", { class: "note" }, "All methods are hidden."));
}

function panelPicture(shown, points, methods, width) {
  const height = Math.round(Math.min(280, Math.max(210, width * 0.66)));
  const counts = distinct(points.map((point) => point.labels)).sort((a, b) => a - b);
  const inner = 18;
  const position = linear([Math.log(counts[0]), Math.log(counts.at(-1))], [46 + inner, width - 6 - inner]);
  const x = (labels) => position(Math.log(labels));
  const [low, high] = bounds(shown.flatMap((point) => [point.mean, point.low, point.high]));
  const y = linear([low, high], [height - 34, 8]);
  const shift = (method) => (methods.indexOf(method) - (methods.length - 1) / 2) * Math.min(2.6, width / 140);
  const xTicks = [];
  [...counts].reverse().forEach((count) => {
    if (!xTicks.length || x(xTicks.at(-1)[0]) - x(count) > 38) xTicks.push([count, count.toLocaleString("en")]);
  });
  const placed = shown.map((point) => ({ point, px: x(point.labels) + shift(point.method), py: y(point.mean) }));
  const lines = distinct(shown.map((point) => `${point.method} ${DATA.settings[point.setting].baseline ? DATA.settings[point.setting].model : ""}`)).map((key) => {
    const own = placed.filter(({ point }) => key === `${point.method} ${DATA.settings[point.setting].baseline ? DATA.settings[point.setting].model : ""}`).sort((a, b) => a.px - b.px);
    return curve(own, counts, y);
  });
  lines.sort((a, b) => a.classList.contains("reference") - b.classList.contains("reference"));
  const picture = svg("svg", { width, height }, frame({ width, height, x, y, xTicks, yTicks: niceTicks(low, high, 4), xLabel: "training labels" }), lines);
  return pointable(picture, placed.map(({ point, px, py }) => ({ x: px, y: py, method: point.method, text: pointText(point) })), emphasise);
}

// One method's line, broken where a number of labels is missing.
function curve(placed, counts, y) {
  const { method } = placed[0].point;
  const { id, baseline, dashed } = DATA.methods[method];
  const paths = [];
  let before = null;
  placed.forEach(({ point, px, py }) => {
    const place = counts.indexOf(point.labels);
    paths.push(`${before !== null && place === before + 1 ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`);
    before = place;
  });
  const bar = ({ point, px }) => (point.low === null ? null : svg("line", { class: "whisker", x1: px, x2: px, y1: y(point.low), y2: y(point.high) }));
  const kind = [id === DATA.reference ? "reference" : "", baseline ? "dotted" : dashed ? "dashed" : ""].join(" ");
  return svg("g", { class: `series ${kind}`, "data-series": method, vars: look(method) },
    placed.map(bar), svg("path", { class: "line", d: paths.join("") }), placed.map(({ px, py }) => mark(method, px, py)));
}

function pointText(point) {
  const { model, baseline, label_ratio: ratio } = DATA.settings[point.setting];
  const name = DATA.methods[point.method].name + (baseline ? ` · ${model}` : "");
  const interval = point.low === null ? "no interval: one seed" : `95 % interval ${score(point.low)} to ${score(point.high)}`;
  return [name, `${plural(point.labels, "label")} (${labelsName(ratio)})`, `${DATA.metrics[DATA.datasets[point.dataset].metric].name} ${score(point.mean)}, ${plural(point.n, "seed")}`, interval];
}
