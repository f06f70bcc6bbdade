// Where the numbers come from, and jobs that gave none.
const table = (id, label, head, rows) => scrolling(id, label, el("table", { class: "plain" }, el("caption", { class: "unseen" }, label),
  el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col", class: "name" }, name)))),
  el("tbody", {}, rows.map((row) => el("tr", {}, row.map((item, i) => el(i ? "td" : "th", { scope: i ? null : "row", class: "name" }, item)))))));

const fingerprint = (text) => (text ? el("code", { title: text }, text.slice(0, 12)) : "–");
const KINDS = { train: "Training", split: "Split", label_ratio: "Training labels" };
const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));

function drawFailures() {
  const rows = DATA.failures;
  byId("failures").hidden = !rows.length;
  if (!rows.length) return;
  const head = ["Job", "Status", "Model", "Method", "Data set", "Split", "Labels", "Seed", "Reason"];
  const items = rows.map((row) => [el("code", {}, row.key), row.status, row.model, row.method, row.dataset, row.split, row.labels, row.seed, row.error]);
  content("failures").replaceChildren(
    el("p", { class: "note" }, `${failuresPhrase(DATA.counts)} Nothing of them is in any number of this page${DATA.from_scores ? "" : "; the files under failures/ hold the tracebacks"}.`),
    table("scroll-failures", "Jobs without a result", head, items));
}

const failuresPhrase = ({ failed, skipped }) =>
  [`${plural(failed, "job")} failed${skipped ? `, ${skipped} skipped because they make no sense for their model or data` : ""}.`,
    failed + skipped > DATA.failures.length ? `The first ${DATA.failures.length} are shown; “roftbench list runs” lists all.` : ""].filter(Boolean).join(" ");

function drawFacts() {
  content("facts").replaceChildren(
    ...(DATA.from_scores ? [el("p", { class: "notice" }, "This page was made from scores.csv: it has no learning curves, coefficients and warnings of jobs, which only their records hold.")] : []),
    el("h3", {}, "How a cell is made"),
    el("ul", { class: "prose" }, [
      "The score is that of the test part, at the epoch with the best validation score.",
      `Mean and standard deviation are over ${DATA.runs}s; the deviation is the population’s (ddof 0).`,
      `Hyperparameters are selected by the mean validation score over ${DATA.runs}s, among those with the most. No test score selects anything.`,
      "Other metrics are shown for the hyperparameters that the data set’s own metric has selected.",
      "A score that is undefined in one run makes its cell undefined; nothing is averaged over jobs that did not finish.",
      "Records whose protocol, featurizer or settings differ are never in one cell; names of one kind that hide a difference say it in brackets.",
    ].map((text) => el("li", {}, text))),
    el("h3", {}, "Protocol"),
    table("scroll-protocols", "Protocol", ["Protocol", "Featurizer", "Jobs"], DATA.protocols.map((row) => [row.protocol, row.featurizer ?? "–", number(row.jobs)])),
    el("h3", {}, "Settings by name"),
    table("scroll-settings", "Settings by name", ["Kind", "Name", "Settings"], DATA.named.map((row) => [KINDS[row.part], row.name, params(row.values)])),
    el("h3", {}, "Data sets"),
    table("scroll-data", "Data sets", ["Data set", "Task", "Metric", "Rows", "Kept", "Dropped", "Fingerprint (sha256)", "From"], dataRows()),
    parts(partRows()),
    el("h3", {}, "Models"),
    table("scroll-models", "Models", ["Model", "Weights", "Benchmark labels seen in pretraining", "Class"], DATA.sources.map((row) => [row.name,
      row.sha256 ? ["sha256 ", fingerprint(row.sha256)] : row.git_blob ? ["git blob ", fingerprint(row.git_blob)] : "random, or none", seenLabels(DATA.seen[row.name]), el("code", {}, row.target ?? "–")])),
    el("h3", {}, "Software and machines"),
    table("scroll-envs", "Software and machines", ["roftbench", "Commit", "Python", "Packages", "Device", "Threads", "Processor", "Platform", "Jobs"], DATA.envs.map(envRow)),
    el("p", { class: "note" }, `The ${plural(DATA.counts.jobs, "job")} took ${seconds(DATA.counts.hours * 3600)} in all, one after the other.`),
  );
}

// A model of the user's own has no card here; null: not known.
const seenLabels = (names) => (names === undefined ? "–" : names === null ? "unknown" : names.join(", ") || "none");

function parts(rows) {
  const head = ["Data set", "Split", "Labels", "Train", "Val", "Test", "Split (sha256)", "With labels cut (sha256)"];
  return el("details", { id: "parts" }, el("summary", {}, `Parts: ${plural(rows.length, "way")} of cutting the data, with fingerprints`), table("scroll-parts", "Parts", head, rows));
}

const dataOf = (cell) => distinct(cell.jobs.map((place) => DATA.jobs[place].data)).map((place) => DATA.data[place]);

function dataRows() {
  const rows = new Map();
  CELLS.forEach((cell) => dataOf(cell).forEach((data) => {
    const { dataset, task, metric } = DATA.datasets[cell.dataset];
    const key = JSON.stringify([dataset, data.sha256, data.rows, data.kept, data.place]);
    rows.set(key, [dataset, task, DATA.metrics[metric].name, number(data.rows), number(data.kept), number(data.dropped), fingerprint(data.sha256), data.place ?? "–"]);
  }));
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function partRows() {
  const rows = new Map();
  CELLS.forEach((cell) => {
    const { split, label_ratio: ratio } = DATA.settings[cell.setting];
    const { dataset } = DATA.datasets[cell.dataset];
    dataOf(cell).forEach((data) => {
      const graphs = data.count?.graphs ?? {};
      const key = JSON.stringify([dataset, split, graphs.train ?? 0, data.parts_sha256]);
      rows.set(key, [[dataset, split, graphs.train ?? 0, ratio], [dataset, split, ratio, number(graphs.train), number(graphs.val), number(graphs.test), fingerprint(data.split_sha256), fingerprint(data.parts_sha256)]]);
    });
  });
  const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows.values()].sort(([a], [b]) => a.reduce((order, value, i) => order || before(value, b[i]), 0)).map(([, row]) => row);
}

function envRow(env, place) {
  const known = new Set(["roftbench", "commit", "python", "device", "threads", "processor", "platform", "cores"]);
  const packages = Object.entries(env).filter(([name, version]) => !known.has(name) && version).map(([name, version]) => `${name} ${version}`).join(", ");
  const cores = env.cores ? `${env.processor ?? ""} (${plural(env.cores, "core")})`.trim() : env.processor ?? "–";
  return [env.roftbench ?? "–", fingerprint(env.commit), env.python ?? "–", packages || "–", env.device ?? "–", number(env.threads), cores, env.platform ?? "–", number(DATA.env_jobs[place])];
}
