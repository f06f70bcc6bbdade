// The reference method against each other one, and mean ranks: as the tables of the package compute them.
const METHOD_OF_ID = new Map(DATA.methods.map((method, place) => [method.id, place]));
const methodName = (id) => DATA.methods[METHOD_OF_ID.get(id)]?.name ?? id;
const REFERENCE = DATA.reference_name;
const UNIT = { block: ["block", "blocks"], dataset: ["data set", "data sets"] };

const COMPARED = ["task", "split", "label_ratio"];

// What is compared: the chosen task, split and label ratio, or null for all of them, also where there is only one.
function wanted() {
  const { setting, splits, labels, task } = view;
  const own = DATA.scopes.filter((entry) => entry.model === setting.model && entry.train === setting.train);
  const asked = { task, split: splits === "one" ? setting.split : null, label_ratio: labels === "one" ? setting.label_ratio : null };
  const several = (part) => own.some((entry) => entry[part] !== null);
  return { own, several, asked: Object.fromEntries(COMPARED.map((part) => [part, several(part) ? asked[part] : null])) };
}

function scope() {
  const { own, asked } = wanted();
  return own.find((entry) => COMPARED.every((part) => entry[part] === asked[part]));
}

function scopePhrase() {
  const { several, asked } = wanted();
  const { model, split, label_ratio: ratio, train } = view.setting;
  const named = (part, one, all) => (several(part) && asked[part] === null ? all : one);
  return [model, named("split", `${split} split`, "all splits"), named("label_ratio", labelsPhrase(ratio), "all label ratios"),
    asked.task && `${asked.task} only`, `${train} training`].filter(Boolean).join(" · ");
}

function scopeChoices() {
  const { several } = wanted();
  const part = (name, legend, one) => choice({
    id: `scope-${name}`, legend, value: view[name], change: (value) => go({ [name]: value === "all" ? null : value }),
    options: [{ value: "all", name: "all" }, { value: "one", name: one }] });
  return el("form", { class: "filters inner", "aria-label": "What is compared" },
    several("split") ? part("splits", "Splits", view.setting.split) : null,
    several("label_ratio") ? part("labels", "Training labels", labelsName(view.setting.label_ratio)) : null,
    several("task") ? choice({ id: "scope-task", legend: "Data sets", value: view.task ?? "both", change: (value) => go({ task: value === "both" ? null : value }),
      options: [{ value: "both", name: "all" }, ...TASKS.map((task) => ({ value: task, name: task }))] }) : null,
    choice({ id: "scope-unit", legend: "One observation is", value: view.unit, change: (value) => go({ unit: value === "block" ? null : value }),
      options: [{ value: "block", name: "a block" }, { value: "dataset", name: "a data set" }] }));
}

function drawVersus() {
  if (view.setting.baseline) return content("versus").replaceChildren(el("p", { class: "note" }, "Baselines take no part in comparisons and ranks."));
  const found = scope();
  return content("versus").replaceChildren(el("p", { class: "where" }, scopePhrase()), ...ownMetricNote(), scopeChoices(),
    el("h3", {}, `${REFERENCE} against each method`), ...versusParts(found?.compare[view.unit] ?? []),
    el("h3", {}, "Mean ranks of all methods"), ...rankParts(found?.ranks[view.unit] ?? "there are no jobs"));
}

function versusParts(rows) {
  if (!rows.length) return [el("p", { class: "note" }, `There is nothing to compare: ${REFERENCE} or a rival is missing here.`)];
  return versusTable(rows);
}

function versusTable(rows) {
  const reach = rows.flatMap((row) => [row.low ?? row.improvement, row.high ?? row.improvement, 0]).filter((value) => value !== null);
  const domain = bounds(reach, 0.04);
  const order = (row) => METHOD_OF_ID.get(row.method) ?? 1e6;
  const names = ["Against", "n", "Wins / ties / losses", "Improvement, 95 % interval", "", "Regression", "Classification", "Holm p", "Verdict"];
  const table = el("table", { class: "versus" },
    el("caption", { class: "unseen" }, `${REFERENCE} against each method. ${scopePhrase()}`),
    el("thead", {}, el("tr", {}, names.map((name, i) => el(name ? "th" : "td", { scope: name ? "col" : null, class: i === 0 || i === 8 ? "name" : i === 2 ? "wtl" : "number" }, name)))),
    el("tbody", {}, [...rows].sort((a, b) => order(a) - order(b)).map((row) => versusRow(row, domain))));
  const [, many] = UNIT[view.unit];
  const lost = rows.reduce((most, row) => Math.max(most, row.incomplete), 0);
  return [scrolling("scroll-versus", `${REFERENCE} against each method`, table),
    el("p", { class: "note" },
      `n: ${many} that both have. Wins, ties and losses are ${REFERENCE}’s, over them. A block is one split, label ratio and data set; it counts where both methods have all seeds`,
      lost ? ` (up to ${plural(lost, "block")} left out as incomplete). ` : ". ",
      `Improvement: relative change of the score, right of the line where ${REFERENCE} is better: of an error its reduction, of ROC-AUC its rise; two scales, so both also stand apart. `,
      "Interval: bootstrap, of 6 observations or more; of few it is too narrow, and it is not corrected for several rivals. p: Wilcoxon signed-rank test with Holm’s correction for all rivals; the mean of the others is one question of its own, so its p is not corrected."),
    el("p", { class: "note" }, "Blocks of one data set share molecules and labels: over blocks, p is too small and intervals are too narrow. ",
      "Over data sets, the mean of each data set’s blocks is one observation. “Not distinguishable” does not mean equal: these numbers cannot tell.")];
}

function versusRow(row, domain) {
  const method = METHOD_OF_ID.get(row.method);
  const total = row.wins + row.ties + row.losses || 1;
  const share = (n, name) => el("span", { class: name, vars: { "flex-grow": String(n / total) } });
  const sure = row.verdict === "better" || row.verdict === "worse" ? row.verdict : "";
  return el("tr", { class: method === undefined ? "summary" : null, vars: method === undefined ? {} : look(method) },
    rowName(method === undefined ? el("span", { class: "badge" }) : badge(method), methodName(row.method)),
    el("td", { class: "number" }, row.n),
    el("td", { class: "wtl" }, el("span", {}, `${row.wins} / ${row.ties} / ${row.losses}`), el("span", { class: "shares", "aria-hidden": "true" }, share(row.wins, "wins"), share(row.ties, "ties"), share(row.losses, "losses"))),
    el("td", { class: "number" }, percent(row.improvement), row.low === null ? null : el("span", { class: "sd" }, `${percent(row.low)} to ${percent(row.high)}`)),
    el("td", { class: "forest" }, forest(row, domain, sure)),
    el("td", { class: "number" }, percent(row.improvement_regression)), el("td", { class: "number" }, percent(row.improvement_classification)),
    el("td", { class: "number", title: `p ${chance(row.p)} before correction, ${plural(row.pairs, "pair")}` }, chance(row.p_holm),
      method === undefined && row.p_holm !== null ? el("span", { class: "sd" }, "not corrected") : null),
    el("td", { class: `name verdict ${sure}` }, row.verdict));
}

function forest(row, domain, sure) {
  const [width, height] = [120, 26];
  const x = linear(domain, [4, width - 4]);
  const bar = row.low === null ? null : svg("line", { class: "whisker", x1: x(row.low), x2: x(row.high), y1: height / 2, y2: height / 2 });
  const dot = row.improvement === null ? null : svg("circle", { class: "dot", cx: x(row.improvement), cy: height / 2, r: 4 });
  return svg("svg", { class: `forest-plot ${sure}`, width, height, "aria-hidden": "true" }, svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height }), bar, dot);
}

function rankParts(found) {
  if (typeof found === "string") return [el("p", { class: "note" }, `No ranks for this choice: ${found}.`)];
  return [el("p", { class: "result" }, ranksPhrase(found)), figure(ranksLabel(found), (width) => critical(found, Math.min(width, 760)), { id: "ranks" }),
    el("p", { class: "note" }, found.p < 0.05
      ? "Methods that a bar joins do not differ at 0.05 (Nemenyi): their mean ranks lie less than the critical difference apart. Other pairs do."
      : "The Friedman test finds no difference at 0.05, so no bars are drawn.")];
}

function ranksPhrase({ n, datasets, statistic, p }) {
  const over = view.unit === "block" ? `${plural(n, "block")} of ${plural(datasets, "data set")}` : plural(n, "data set");
  return `Mean rank over ${over}, 1 is best. Friedman χ² = ${fixed(statistic, 1)}, p ${p < 0.0001 ? "" : "= "}${chance(p)}.`;
}

const ranksLabel = ({ ranks }) => `Critical difference diagram. Mean ranks, best first: ${ranks.map(([id, rank]) => `${methodName(id)} ${fixed(rank, 2)}`).join(", ")}`;

// Demšar's critical difference diagram: mean ranks on a line, bars over methods that do not differ.
function critical({ ranks, groups, p, critical_difference: distance }, width) {
  const shown = p < 0.05 ? groups : [];
  const longest = Math.max(...ranks.map(([id]) => methodName(id).length));
  const aside = 56 + 8 * longest; // room for a name and its rank
  const wide = width > 2 * aside + 30 * ranks.length;
  const margin = wide ? aside : 14;
  const x = linear([1, ranks.length], [margin, width - margin]);
  const axis = 64;
  const below = axis + 28 + shown.length * 11;
  const end = Math.min(1 + distance, ranks.length);
  const scale = [
    svg("line", { class: "axis", x1: x(1), x2: x(ranks.length), y1: axis, y2: axis }),
    ranks.map((_, i) => [svg("line", { class: "axis", x1: x(i + 1), x2: x(i + 1), y1: axis, y2: axis - 6 }), svg("text", { class: "tick-text", x: x(i + 1), y: axis - 12, "text-anchor": "middle" }, i + 1)]),
    svg("line", { class: "distance", x1: x(1), x2: x(end), y1: 22, y2: 22 }),
    [1, ...(end === 1 + distance ? [end] : [])].map((place) => svg("line", { class: "distance", x1: x(place), x2: x(place), y1: 18, y2: 26 })),
    svg("text", { class: "label", x: x(1), y: 12 }, `critical difference ${fixed(distance, 2)}`)];
  const place = new Map(ranks);
  const bars = shown.map((group, i) => svg("line", { class: "clique", x1: x(place.get(group[0])) - 4, x2: x(place.get(group.at(-1))) + 4, y1: axis + 14 + i * 11, y2: axis + 14 + i * 11 }));
  const rows = (wide ? namedAside : namedBelow)(ranks, x, margin, width);
  const height = below + 26 * Math.max(...rows.map(({ row }) => row)) + 14;
  const leaders = rows.map(({ method, at, edge, row }) => svg("polyline", { class: "leader series", "data-series": method, vars: look(method), points: `${at},${axis} ${at},${below + 26 * row} ${edge},${below + 26 * row}` }));
  return svg("svg", { class: "critical", width, height }, scale, leaders, bars, rows.map((row) => rankName(row, axis, below + 26 * row.row)));
}

// The better half is named on the left, the other on the right, the extremes topmost.
function namedAside(ranks, x, margin, width) {
  const half = Math.ceil(ranks.length / 2);
  return ranks.map(([id, rank], i) => {
    const left = i < half;
    return { id, rank, method: METHOD_OF_ID.get(id), at: x(rank), edge: left ? margin - 8 : width - margin + 8, row: left ? i : ranks.length - 1 - i, left };
  });
}

// Each name beside the end of its own line, a row for each, the extremes lowest: for a phone's width.
function namedBelow(ranks, x, margin, width) {
  const order = ranks.map((_, i) => i).sort((a, b) => Math.abs(a - (ranks.length - 1) / 2) - Math.abs(b - (ranks.length - 1) / 2));
  return ranks.map(([id, rank], i) => {
    const left = x(rank) > width / 2;
    return { id, rank, method: METHOD_OF_ID.get(id), at: x(rank), edge: x(rank) + (left ? -8 : 8), row: order.indexOf(i), left };
  });
}

function rankName({ id, rank, method, at, edge, left }, axis, y) {
  const name = svg("tspan", { class: id === DATA.reference ? "strong" : null }, methodName(id));
  const value = svg("tspan", { class: "value" }, fixed(rank, 2));
  return svg("g", { class: "series", "data-series": method, vars: look(method) }, mark(method, at, axis),
    svg("text", { x: edge + (left ? -6 : 6), y, dy: "0.35em", "text-anchor": left ? "end" : "start" }, left ? [name, "  ", value] : [value, "  ", name]));
}
