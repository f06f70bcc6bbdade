// Rows of the chosen tables compared inside each data set, baselines included: as the tables of the package compute it.
function withinParts() {
  const found = DATA.within.filter(({ setting }) => setting === view.setting.place);
  if (!found.length) return [];
  const names = ["Data set", "Over", "F", "p", "Ratio of variances", "Test", "Cannot be told from the best"];
  const table = el("table", { class: "versus", id: "within" },
    el("caption", { class: "unseen" }, `Tests inside each data set. ${settingPhrase(view.setting)}`), tableHead(names),
    el("tbody", {}, found.map((one) => el("tr", {}, rowName(null, DATA.datasets[one.dataset].dataset),
      [one.count, bounded(one.f), chance(one.p), bounded(one.ratio), one.test].map((text) => el("td", { class: "number" }, text)),
      el("td", { class: "name wide" }, one.best.join(", "))))));
  const same = found.some((one) => one.oneSplit) ? el("p", { class: "note" }, el("b", {}, "One split: "), "this says how training varies, not how another split would turn out.") : null;
  return [el("h3", {}, "Inside each data set"), el("p", { class: "where" }, settingPhrase(view.setting)), scrolling("scroll-within", "Inside each data set", table),
    el("p", { class: "note" }, "F: repeated-measures ANOVA. p: its, or Friedman’s with Conover’s test on ranks, which is used where one row’s variance is more than 9 times another’s. Baselines (†) take part."),
    same, ...found.map(withinEach)].filter(Boolean);
}

const bounded = (value) => (value === null ? "–" : value < 1e4 ? fixed(value, 1) : "> 10000");
const signed = (value) => (value === null ? "–" : `${value > 0 ? "+" : value < 0 ? "−" : ""}${Number(Math.abs(value).toPrecision(3))}`);
const range = (low, high) => (low === null ? null : el("span", { class: "sd" }, `${signed(low)} to ${signed(high)}`));

// The reference, or the best row, against each other row on one data set.
function withinEach(one) {
  const { dataset, metric } = DATA.datasets[one.dataset];
  const delta = DATA.delta[metric];
  const names = ["Against", "Difference", "Alone, 95 %", "p", "d", ...(delta ? [`Equal within ${delta}`] : []), "Needed", "Verdict"];
  const row = ([label, difference, low, high, p, from, to, effect, equal, needed, verdict, same]) => el("tr", {}, rowName(null, label),
    [[signed(difference), range(low, high)], [range(from, to)], [chance(p)], [signed(effect)], ...(delta ? [[chance(equal)]] : []), [needed === null ? "–" : `${needed} ${one.unit}`]]
      .map((parts) => el("td", { class: "number" }, parts)),
    el("td", { class: `name verdict ${verdict === "not distinguishable" ? "" : verdict}` }, same ? `${verdict}, equal` : verdict));
  const table = el("table", { class: "versus" }, el("caption", { class: "unseen" }, `${one.reference} against each row on ${dataset}`),
    tableHead(names), el("tbody", {}, one.rows.map(row)));
  return el("details", { class: "within" },
    el("summary", {}, `${dataset}: ${one.reference} (${DATA.metrics[metric].name} ${score(one.mean)}) against each row`),
    scrolling(`scroll-within-${one.task}-${one.dataset}`, `${one.reference} against each row on ${dataset}`, table),
    el("p", { class: "note" }, `Difference: of the means, ${one.reference} minus the row; below it, with Tukey’s HSD, the interval for all pairs together. Alone: the 95 % interval of this pair, for folds corrected for shared training molecules. p: corrected for all pairs. d: mean difference in standard deviations of the differences. Needed: how many would show ${delta ? `a difference of ${delta}` : "this difference"} with power 0.8.`,
      one.incomplete.length ? ` Left out, as seeds, folds or scores are missing: ${one.incomplete.join(", ")}.` : null));
}
