// What stands below the leaderboards: what the marks mean, and how many labels each method used.
const FAILED = { failed: "failed", skipped: "n/a" };

function legendNote(drawn) {
  const has = (selector) => drawn.querySelector(selector);
  return el("p", { class: "note" },
    `Test score, mean ± standard deviation over ${DATA.runs}s. `, CELLS.some((cell) => cell.n > 1) ? `${DATA.spread} ` : null, el("b", {}, "Bold"),
    " is every cell that cannot be told from the best of its column at 0.05 (Tukey HSD or, where variances differ much, Conover–Friedman, over seeds or folds; the numbers are under “Comparison”). ", `Cells that lack ${DATA.runs}s take no part. Average ranks are no tests. 3/5: only 3 of its 5 ${DATA.runs}s are there. `,
    "failed: no job of the cell ended well. n/a: its jobs were skipped, as they make no sense there. --: no job. ",
    has(".gap.failed, .gap.skipped") ? "The reasons are under “Jobs without a result”. " : null,
    has(".outside") ? "†: no network and none of the nine methods, so it takes no part in average ranks. " : null,
    has(".interpolates") ? "‡: also takes gradients on validation labels (the third number of the label budget). " : null,
    has(".seen") ? "‡‡: the model’s pretraining saw labels of this data set, so this is not a score on unseen labels. " : null,
    DATA.seen[view.setting.model] === null ? `Whether the pretraining of ${view.setting.model} saw labels of these data sets is not known. ` : null,
    "A cell opens the jobs behind it.");
}

const interpolates = (row) => [...row.cells.values()].some(({ labels }) => labels[2] > 0);

// The methods that used the same numbers of labels stand together.
function budgetNote(rows, datasets) {
  const used = new Map();
  rows.forEach((row) => {
    const cells = datasets.map((dataset) => row.cells.get(dataset)).filter((cell) => cell && !cell.labels.includes(null));
    const text = cells.map(({ dataset, labels }) => `${DATA.datasets[dataset].dataset} ${labels.join("/")}`).join(", ");
    if (text) used.set(text, [...(used.get(text) ?? []), row.name + (interpolates(row) ? " ‡" : "")]);
  });
  return used.size ? el("div", { class: "note budget" }, "Label budget (labels for weights / selection / interpolation coefficients)",
    el("ul", {}, [...used].map(([text, names]) => el("li", {}, `${names.join(", ")}: ${text}.`)))) : null;
}

// Comparison and curves are by each data set's own metric, whatever the leaderboard shows.
function ownMetricNote() {
  const other = distinct(TASKS.filter((task) => view.metric[task] !== DATA.first_metric[task]).map((task) => metricName(view.metric[task])));
  const own = distinct(DATA.datasets.map(({ metric }) => DATA.metrics[metric].name)).join(", ");
  return other.length ? [el("p", { class: "notice metric" }, `By each data set’s own metric (${own}), not by the ${other.join(" and ")} that the leaderboard shows.`)] : [];
}
