// Leaderboards: methods x data sets of one setting, a table for each task.
function drawFilters() {
  const names = { model: "Model", split: "Split", label_ratio: "Training labels", train: "Training" };
  const show = { label_ratio: labelsName };
  byId("filters").replaceChildren(...PARTS.map((part) => {
    const options = distinct(CHOOSABLE.map((setting) => setting[part])).map((value) => {
      const here = CHOOSABLE.some((setting) => setting[part] === value && PARTS.every((other) => other === part || setting[other] === view.setting[other]));
      return { value, name: (show[part] ?? String)(value), away: here ? null : "not with the other choices: they will follow" };
    });
    return choice({ id: `filter-${part}`, legend: names[part], options, value: view.setting[part], change: (value) => choose(part, value) });
  }));
}

function drawBoard() {
  const tables = TASKS.filter((task) => TABLES.has(`${view.setting.place} ${task}`));
  const drawn = el("div", { class: "tasks" }, tables.map(drawTask));
  content("board").replaceChildren(
    el("p", { class: "where" }, settingPhrase(view.setting)), drawn, legendNote(drawn));
}

function drawTask(task) {
  const metric = view.metric[task];
  const table = TABLES.get(`${view.setting.place} ${task}`);
  const cells = CELLS.filter((cell) => cell.setting === view.setting.place && cell.task === task);
  const unfinished = DATA.unfinished.filter(([setting, dataset]) => setting === view.setting.place && DATA.datasets[dataset].task === task);
  const datasets = distinct([...cells.map((cell) => cell.dataset), ...unfinished.map(([, dataset]) => dataset)]).sort((a, b) => a - b);
  const networks = boardRows(cells, unfinished, metric, table);
  const rows = [...networks, ...baselineRows(task, metric, datasets, table.expected)];
  const ranked = networks.filter((row) => !row.outside && row.cells.size).length > 1;
  rows.forEach((row) => { row.ranked = ranked; });
  const own = sorted(rows.filter((row) => !row.outside), task);
  const outside = sorted(rows.filter((row) => row.outside), task);
  const title = `${task === "regression" ? "Regression" : "Classification"}, ${metricName(metric)}`;
  const columns = [...datasets.map((dataset) => ({ key: DATA.datasets[dataset].dataset, name: DATA.datasets[dataset].dataset, dataset })),
    ...(ranked ? [{ key: "rank", name: "Avg. rank" }] : [])];
  const head = el("thead", {}, el("tr", {}, header(task, { key: "method", name: "Method" }), columns.map((column) => header(task, column))));
  const body = el("tbody", {}, own.map((row) => boardRow(row, datasets)));
  const foot = outside.length ? el("tbody", { class: "outside" }, outside.map((row) => boardRow(row, datasets))) : null;
  return el("div", { class: "task" },
    el("div", { class: "row" }, el("h3", { id: `title-${task}` }, task === "regression" ? "Regression" : "Classification"), metricChoice(task)),
    scrolling(`scroll-${task}`, title, el("table", { class: "board" }, el("caption", { class: "unseen" }, `${title}. ${settingPhrase(view.setting)}`), head, body, foot)),
    ranked ? rankNote(table.ranks[metric], datasets.length) : null, budgetNote(rows, datasets),
    costTable([...own, ...outside], datasets, task));
}

function metricChoice(task) {
  const names = DATA.metrics_of[task];
  const values = DATA.first_metric[task] === "own" ? ["own", ...names] : names;
  const options = values.map((value) => ({ value, name: metricName(value) }));
  const change = (value) => go({ [task]: value === DATA.first_metric[task] ? null : value });
  return choice({ id: `metric-${task}`, legend: "Metric", options, value: view.metric[task], change });
}

function boardRows(cells, unfinished, metric, table) {
  const methods = distinct([...cells.map((cell) => cell.method), ...unfinished.map(([, , method]) => method)]);
  return methods.sort((a, b) => a - b).map((method) => ({
    method, metric, setting: view.setting.place, outside: DATA.methods[method].baseline, name: DATA.methods[method].name,
    cells: new Map(cells.filter((cell) => cell.method === method).map((cell) => [cell.dataset, cell])),
    rank: table.ranks[metric].of[method] ?? null, expected: table.expected,
  }));
}

// Baselines under the same terms (split, labels, versions), gaps included.
function baselineRows(task, metric, datasets, expected) {
  if (view.setting.baseline) return [];
  const rows = new Map();
  CELLS.filter((cell) => cell.task === task && datasets.includes(cell.dataset)).forEach((cell) => {
    const setting = DATA.settings[cell.setting];
    if (!setting.baseline || setting.terms !== view.setting.terms) return;
    const key = `${cell.setting} ${cell.method}`;
    const name = `${DATA.methods[cell.method].name} · ${setting.model}`;
    if (!rows.has(key)) rows.set(key, { method: cell.method, metric, setting: cell.setting, outside: true, name, cells: new Map(), rank: null, expected });
    rows.get(key).cells.set(cell.dataset, cell);
  });
  return [...rows.values()];
}

function sorted(rows, task) {
  const sort = view.sort[task];
  if (!sort) return rows;
  const dataset = DATA.datasets.findIndex((entry) => entry.dataset === sort.column);
  const way = sort.way === "worst" ? -1 : 1;
  const value = (row) => {
    if (sort.column === "rank") return row.rank;
    const cell = row.cells.get(dataset);
    if (!cell || cell.n < row.expected) return null;
    const { mean, metric } = scoresBy(cell, row.metric);
    return mean === null ? null : DATA.metrics[metric].higher ? -mean : mean;
  };
  if (sort.column === "method") return [...rows].sort((a, b) => way * a.name.localeCompare(b.name, "en"));
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === null || y === null ? (x === null) - (y === null) : way * (x - y); // gaps stay last
  });
}

function header(task, { key, name, dataset }) {
  const sort = view.sort[task];
  const mine = sort?.column === key;
  const metric = dataset === undefined ? null : view.metric[task] === "own" ? DATA.datasets[dataset].metric : view.metric[task];
  const falling = (metric !== null && DATA.metrics[metric].higher) !== (sort?.way === "worst"); // as the numbers go
  const next = !mine ? `${key}:best` : sort.way === "best" ? `${key}:worst` : null;
  const shown = view.metric[task] === "own" && metric ? `${name} (${metricName(metric)})` : name;
  return el("th", { scope: "col", class: key === "method" ? "name" : "number", "aria-sort": mine ? (falling ? "descending" : "ascending") : null },
    el("button", { type: "button", id: `sort-${task}-${key}`, title: "Sort: best first, worst first, original order", onclick: () => go({ [`sort-${task}`]: next }) },
      shown, el("span", { class: "sort", "aria-hidden": "true" }, mine ? (falling ? "↓" : "↑") : "")));
}

function boardRow(row, datasets) {
  const reference = DATA.methods[row.method].id === DATA.reference;
  const name = rowName(badge(row.method), row.name, row.outside ? " †" : "", interpolates(row) ? el("span", { class: "interpolates" }, " ‡") : "");
  return el("tr", { class: reference ? "reference" : null, vars: look(row.method) }, name,
    datasets.map((dataset) => el("td", { class: "number" }, boardCell(row, row.cells.get(dataset), dataset))),
    row.ranked ? el("td", { class: "number rank" }, row.rank === null ? "--" : fixed(row.rank, 2)) : null);
}

function boardCell(row, cell, at) {
  if (!cell) {
    const status = UNFINISHED.get(`${row.setting} ${at} ${row.method}`);
    return el("span", { class: `gap ${status ?? ""}` }, FAILED[status] ?? "--");
  }
  const { mean, sd, metric } = scoresBy(cell, row.metric);
  const short = cell.n < row.expected;
  const best = BEST.has(`${view.setting.place} ${cell.dataset} ${cell.setting} ${cell.method} ${metric}`) ? "best" : "";
  const dataset = DATA.datasets[cell.dataset].dataset;
  const words = short ? `${cell.n} of ${row.expected} ${DATA.runs}s` : `${DATA.metrics[metric].name} ${score(mean)}${deviation(cell, sd)}, ${plural(cell.n, DATA.runs)}`;
  const seen = DATA.seen[DATA.settings[cell.setting].model]?.includes(dataset);
  const label = `${row.name} on ${dataset}: ${words}${best && ", cannot be told from the best"}${seen ? ", labels that pretraining saw" : ""}. Show the jobs`;
  const open = () => go({ job: DATA.jobs[cell.jobs[0]].key });
  const text = short ? [el("span", { class: "mean short" }, `${cell.n}/${row.expected}`)] : [
    el("span", { class: "mean" }, score(mean)),
    mean === null ? null : el("span", { class: "sd" }, cell.n === 1 ? "one seed" : `± ${score(sd)} (${cell.n})`)];
  return el("button", { type: "button", class: `cell ${best}`, id: `cell-${cell.setting}-${cell.dataset}-${cell.method}`, "aria-label": label, title: label, onclick: open }, text, seen ? el("span", { class: "seen" }, " ‡‡") : null);
}

// One seed has no spread to show.
const deviation = (cell, sd) => (sd === null || cell.n === 1 ? "" : ` ± ${score(sd)}`);

function rankNote({ over }, total) {
  const all = total === 1 ? "the one data set" : `all ${total} data sets`;
  const text = over === 0 ? "No average ranks: no data set has all seeds of every method, and a score in each."
    : `Average rank over ${over === total ? all : `${over} of ${total} data sets: those that every method has in full`}.`;
  return el("p", { class: "note" }, text);
}
