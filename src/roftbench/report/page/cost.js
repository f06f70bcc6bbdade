// What the rows of a leaderboard cost: mechanism, trained parameters, labels for coefficients, seconds by data set.
const UNITS = [["CPU seconds", 2], ["seconds", 1]]; // with their places in a cell's cost, the preferred one first

function costTable(rows, datasets, task) {
  const cells = rows.flatMap((row) => [...row.cells.values()]);
  const [unit, place] = UNITS.find(([, at], i) => cells.some(({ cost }) => cost[at] !== null) && (i > 0 || cells.every(({ cost }) => cost[at] !== null))) ?? [];
  if (!unit) return null;
  const names = ["Method", "Mechanism", "Trained parameters", "Extra labels", ...datasets.map((dataset) => DATA.datasets[dataset].dataset)];
  const head = el("thead", {}, el("tr", {}, names.map((name, i) => el("th", { scope: "col", class: i < 2 ? "name" : "number" }, name))));
  const body = el("tbody", {}, rows.map((row) => costRow(row, datasets, place)));
  const id = `cost-${task}`;
  return el("details", { id, open: byId(id)?.open },
    el("summary", {}, `Cost in ${unit}`),
    scrolling(`scroll-${id}`, "Cost", el("table", { class: "plain" }, el("caption", { class: "unseen" }, "Cost"), head, body)),
    el("p", { class: "note" }, "Extra labels: validation labels that gradients used beyond selection. ", COST_NOTES[unit]));
}

const COST_NOTES = Object.fromEntries(UNITS.map(([unit]) => [unit,
  `Seconds of all fits that a job needs, mean over ${DATA.runs}s: those from the store count as when they were fitted, and a search counts all its candidates. ${unit === "seconds"
    ? "They are wall-clock seconds, as CPU seconds are not recorded for all cells, or a GPU was used." : "They are seconds of all cores together."}`]));

function costRow(row, datasets, place) {
  const cells = [...row.cells.values()];
  const numbers = [span(cells.map(({ cost }) => cost[0])), span(cells.map(({ labels }) => labels[2])),
    ...datasets.map((dataset) => spent(row.cells.get(dataset)?.cost[place] ?? null))];
  return el("tr", { vars: look(row.method) }, rowName(badge(row.method), row.name), el("td", { class: "name" }, DATA.methods[row.method].family),
    numbers.map((text) => el("td", { class: "number" }, text)));
}

// The numbers of a row's cells: one where they are equal, else the smallest and the largest.
function span(values) {
  const known = distinct(values.filter((value) => value !== null).map(Math.round)).sort((a, b) => a - b);
  return known.length ? distinct([known[0], known.at(-1)]).map((value) => value.toLocaleString("en")).join("–") : "--";
}

const spent = (value) => (value === null ? "--" : value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
