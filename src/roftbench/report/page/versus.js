// The reference method against each other one, and mean ranks: as the tables of the package compute them.
const METHOD_OF_ID = new Map(DATA.methods.map((method, place) => [method.id, place]));
const methodName = (id) => DATA.methods[METHOD_OF_ID.get(id)]?.name ?? id;
const REFERENCE = DATA.reference_name;

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
      options: [{ value: "both", name: "all" }, ...TASKS.map((task) => ({ value: task, name: task }))] }) : null);
}

function drawVersus() {
  if (view.setting.baseline) return content("versus").replaceChildren(el("p", { class: "note" }, "Baselines take no part in comparisons over data sets and in ranks."), ...withinParts());
  const found = scope();
  return content("versus").replaceChildren(el("p", { class: "where" }, scopePhrase()), ...ownMetricNote(), scopeChoices(),
    el("h3", {}, `${REFERENCE} against each method, over data sets`), ...versusParts(found),
    el("h3", {}, "Mean ranks of all methods, over data sets"), ...rankParts(found?.ranks ?? "there are no jobs"), ...withinParts());
}

function versusParts(found) {
  if (!found?.compare.dataset.length) return [el("p", { class: "note" }, `There is nothing to compare: ${REFERENCE} or a rival is missing here.`)];
  return [...versusTable(found.compare.dataset),
    el("h3", {}, `${REFERENCE} on each data set`), ...eachTable(found.each),
    el("h3", {}, "Over blocks (descriptive)"), ...blocksTable(found.compare.block)];
}

// The reference's rivals in the order of the methods, then the mean of the others.
const inOrder = (rows) => [...rows].sort((a, b) => (METHOD_OF_ID.get(a.method) ?? 1e6) - (METHOD_OF_ID.get(b.method) ?? 1e6));
const tableHead = (names) => el("thead", {}, el("tr", {}, names.map((name, i) => el("th", { scope: "col", class: i ? "number" : "name" }, name))));
const rivalName = (id) => (METHOD_OF_ID.has(id) ? rowName(badge(METHOD_OF_ID.get(id)), methodName(id)) : rowName(el("span", { class: "badge" }), id));

// What the comparison averages over: a row a rival, a column a data set.
function eachTable(each) {
  const names = distinct(each.map(([, name]) => name)).sort((a, b) => a.localeCompare(b, "en"));
  const rivals = inOrder(distinct(each.map(([method]) => method)).map((method) => ({ method })));
  const at = new Map(each.map(([method, name, ...values]) => [`${method}\n${name}`, values]));
  const cell = ([improvement, blocks, ahead]) => [percent(improvement), el("span", { class: "sd" }, `${ahead}/${blocks}`)];
  const table = el("table", { class: "versus" },
    el("caption", { class: "unseen" }, `Improvement of ${REFERENCE} on each data set. ${scopePhrase()}`),
    tableHead(["Against", ...names]),
    el("tbody", {}, rivals.map(({ method }) => el("tr", { vars: look(METHOD_OF_ID.get(method)) }, rivalName(method),
      names.map((name) => el("td", { class: "number" }, at.has(`${method}\n${name}`) ? cell(at.get(`${method}\n${name}`)) : "--"))))));
  return [scrolling("scroll-each", `${REFERENCE} on each data set`, table),
    el("p", { class: "note" }, `Mean improvement over the blocks of a data set; below it, in how many of them ${REFERENCE} is ahead.`)];
}

function blocksTable(rows) {
  const table = el("table", { class: "versus" },
    el("caption", { class: "unseen" }, `${REFERENCE} against each method over blocks, without a test. ${scopePhrase()}`),
    tableHead(["Against", "n", "Wins / ties / losses", "Improvement", "Regression", "Classification"]),
    el("tbody", {}, inOrder(rows).map((row) => el("tr", { class: METHOD_OF_ID.has(row.method) ? null : "summary" }, rivalName(row.method),
      [row.n, `${row.wins} / ${row.ties} / ${row.losses}`, percent(row.improvement), percent(row.improvement_regression), percent(row.improvement_classification)]
        .map((text) => el("td", { class: "number" }, text))))));
  return [scrolling("scroll-blocks", "Over blocks", table),
    el("p", { class: "note" }, "A block is one split, label ratio and data set. Blocks of one data set share molecules and labels, so they are not independent: these counts describe what was run and are no evidence.")];
}

function versusTable(rows) {
  const reach = rows.flatMap((row) => [row.low ?? row.improvement, row.high ?? row.improvement, 0]).filter((value) => value !== null);
  const domain = bounds(reach, 0.04);
  const names = ["Against", "n", "Wins / ties / losses", "Improvement, 95 % interval", "", "Regression", "Classification", "Holm p", "Verdict"];
  const table = el("table", { class: "versus" },
    el("caption", { class: "unseen" }, `${REFERENCE} against each method. ${scopePhrase()}`),
    el("thead", {}, el("tr", {}, names.map((name, i) => el(name ? "th" : "td", { scope: name ? "col" : null, class: i === 0 || i === 8 ? "name" : i === 2 ? "wtl" : "number" }, name)))),
    el("tbody", {}, inOrder(rows).map((row) => versusRow(row, domain))));
  const lost = rows.reduce((most, row) => Math.max(most, row.incomplete), 0);
  return [scrolling("scroll-versus", `${REFERENCE} against each method`, table),
    el("p", { class: "note" },
      `n: data sets that both have, the mean of a data set’s blocks being one observation. Wins, ties and losses are ${REFERENCE}’s, over them. A block is one split, label ratio and data set; it counts where both methods have all seeds`,
      lost ? ` (up to ${plural(lost, "block")} left out as incomplete). ` : ". ",
      `Improvement: relative change of the score, right of the line where ${REFERENCE} is better: of an error its reduction, of ROC-AUC its rise; two scales, so both also stand apart. `,
      "Interval: bootstrap, of 6 data sets or more; of few it is too narrow, and it is not corrected for several rivals; the verdict decides, not whether the interval leaves out 0. p: Wilcoxon signed-rank test with Holm’s correction for all rivals; the mean of the others is one question of its own, so its p is not corrected."),
    el("p", { class: "note" }, "“Not distinguishable” does not mean equal: these numbers cannot tell.")];
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

function ranksPhrase({ n, statistic, p }) {
  return `Mean rank over ${plural(n, "data set")}, 1 is best. Friedman χ² = ${fixed(statistic, 1)}, p ${p < 0.0001 ? "" : "= "}${chance(p)}.`;
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
