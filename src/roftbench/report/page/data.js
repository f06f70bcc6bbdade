// The data of the page, unpacked as far as every view needs them.
const DATA = JSON.parse(byId("data").textContent);
const TASKS = Object.keys(DATA.metrics_of);
const PARTS = ["model", "split", "label_ratio", "train"];

const TABLES = new Map(DATA.tables.map((table) => [`${table.setting} ${table.task}`, table]));
const CELLS = DATA.cells.map(([setting, dataset, method, n, chosen, tuned, jobs, scores, tried, labels, cost]) => {
  const task = DATA.datasets[dataset].task;
  const { expected } = TABLES.get(`${setting} ${task}`);
  return { setting, dataset, method, n, chosen, tuned, jobs, scores, tried, labels, cost, task, expected };
});
// The status of cells without any finished job: "failed" or "skipped".
const UNFINISHED = new Map(DATA.unfinished.map(([setting, dataset, method, status]) => [`${setting} ${dataset} ${method}`, status]));
// Cells that cannot be told from the best of their column, in the table of a setting and by a metric.
const BEST = new Set(Object.entries(DATA.best).flatMap(([metric, cells]) => cells.map((cell) => `${cell.join(" ")} ${metric}`)));
const CELL_OF_JOB = new Map(CELLS.flatMap((cell) => cell.jobs.map((job) => [job, cell])));
const JOB_OF_KEY = new Map(DATA.jobs.map((job, place) => [job.key, place]));

// Settings that can be chosen: those of networks; those of baselines only where there is nothing else.
const NETWORKS = DATA.settings.map((setting, place) => ({ ...setting, place })).filter((setting) => !setting.baseline);
const CHOOSABLE = NETWORKS.length ? NETWORKS : DATA.settings.map((setting, place) => ({ ...setting, place }));

const distinct = (values) => [...new Set(values)];
const settingPhrase = ({ model, split, label_ratio, train, baseline }) =>
  [model, `${split} split`, labelsPhrase(label_ratio), baseline ? null : `${train} training`].filter(Boolean).join(" · ");

function scoresBy(cell, metric) {
  const name = metric === "own" ? DATA.datasets[cell.dataset].metric : metric;
  const [mean, sd] = cell.scores[DATA.metrics_of[cell.task].indexOf(name)];
  return { mean, sd, metric: name };
}

const arrow = (metric) => (DATA.metrics[metric].higher ? "↑" : "↓");
const metricName = (metric) => (metric === "own" ? "each data set’s own" : `${DATA.metrics[metric].name} ${arrow(metric)}`);

// How a method looks, everywhere: its colors are custom properties, so that the theme can choose.
function look(method) {
  const { color, dark } = DATA.methods[method];
  return { "--on-light": color, "--on-dark": dark };
}

// The mark of a method around (x, y), told apart without colors.
const SHAPES = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  s: "M-3.6-3.6h7.2v7.2h-7.2z",
  v: "M0 4.4L4.6-3.2h-9.2z",
  "^": "M0-4.4L4.6 3.2h-9.2z",
  "<": "M-4.4 0L3.2 4.6v-9.2z",
  ">": "M4.4 0L-3.2 4.6v-9.2z",
  D: "M0-4.8L4.8 0 0 4.8-4.8 0z",
  d: "M0-5L3.4 0 0 5-3.4 0z",
  P: "M-1.7-4.6h3.4v2.9h2.9v3.4h-2.9v2.9h-3.4v-2.9h-2.9v-3.4h2.9z",
  X: "M-4.4-2.6l1.8-1.8L0-1.8l2.6-2.6 1.8 1.8L1.8 0l2.6 2.6-1.8 1.8L0 1.8l-2.6 2.6-1.8-1.8L-1.8 0z",
  p: "M0-4.7L4.5-1.4 2.8 3.9h-5.6L-4.5-1.4z",
  h: "M0-4.6L4-2.3v4.6L0 4.6-4 2.3v-4.6z",
  "*": "M0-6L1.5-2 5.7-1.9 2.4.8 3.5 4.9 0 2.5-3.5 4.9-2.4.8-5.7-1.9-1.5-2z",
};
const mark = (method, x, y) => svg("path", { class: "mark", d: SHAPES[DATA.methods[method].marker] ?? SHAPES.d, transform: `translate(${x} ${y})` });
const badge = (method) => svg("svg", { class: "badge", viewBox: "-7 -7 14 14", "aria-hidden": "true", vars: look(method) }, mark(method, 0, 0));
