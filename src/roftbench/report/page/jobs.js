// The jobs behind a cell: scores, learning curves, and what decided them.
const DIALOG = byId("jobs");

function closeJobs() {
  go({ job: null });
}

function drawJobs() {
  const cell = CELL_OF_JOB.get(view.job);
  if (view.job === null || !cell) {
    if (DIALOG.open) DIALOG.close();
    return;
  }
  const { name } = DATA.methods[cell.method];
  const { dataset } = DATA.datasets[cell.dataset];
  const metric = DATA.datasets[cell.dataset].metric;
  const { mean, sd } = scoresBy(cell, metric);
  const top = DIALOG.open ? DIALOG.scrollTop : 0;
  DIALOG.replaceChildren(
    el("div", { class: "row sheet-head" }, el("h2", { id: "jobs-title" }, badge(cell.method), `${name} on ${dataset}`),
      el("button", { type: "button", class: "quiet", id: "jobs-close", onclick: closeJobs }, "Close")),
    el("p", { class: "where" }, settingPhrase(DATA.settings[cell.setting])),
    el("p", { class: "result" }, `Test ${DATA.metrics[metric].name} `, el("strong", {}, score(mean)), deviation(cell, sd), `, ${plural(cell.n, "seed")}`,
      cell.n < cell.expected ? ` of ${cell.expected}` : "", ". ", Object.keys(DATA.params[cell.chosen]).length ? `Hyperparameters: ${params(DATA.params[cell.chosen])}.` : "It has no hyperparameters."),
    ...triedTable(cell, metric), ...jobTable(cell, metric), ...learning(cell), jobFacts(cell));
  DIALOG.style.setProperty("--on-light", DATA.methods[cell.method].color);
  DIALOG.style.setProperty("--on-dark", DATA.methods[cell.method].dark);
  if (!DIALOG.open) DIALOG.showModal();
  DIALOG.scrollTop = top;
}

// What the validation scores chose from, with what the test scores would have said.
function triedTable(cell, metric) {
  if (cell.tried.length < 2) return [];
  const names = [DATA.params[cell.chosen]].concat(cell.tried.map(([place]) => DATA.params[place]));
  const varied = distinct(names.flatMap(Object.keys)).filter((key) => new Set(names.map((each) => JSON.stringify(each[key]))).size > 1);
  const { higher } = DATA.metrics[metric];
  const rows = [...cell.tried].sort((a, b) => (a[2] === null) - (b[2] === null) || (higher ? b[2] - a[2] : a[2] - b[2]));
  const table = el("table", { class: "plain" }, el("caption", { class: "unseen" }, "Hyperparameters tried"),
    el("thead", {}, el("tr", {}, ["Hyperparameters", "Runs", `Val ${DATA.metrics[metric].name}`, `Test ${DATA.metrics[metric].name}`].map((name, i) => el("th", { scope: "col", class: i ? "number" : "name" }, name)))),
    el("tbody", {}, rows.map(([place, n, val, test]) => el("tr", { class: place === cell.chosen ? "picked" : null },
      el("th", { scope: "row", class: "name" }, params(Object.fromEntries(varied.map((key) => [key, DATA.params[place][key]]))), place === cell.chosen ? " (selected)" : ""),
      el("td", { class: "number" }, n), el("td", { class: "number" }, score(val)), el("td", { class: "number" }, score(test))))));
  return [el("h3", {}, "Hyperparameters tried"), scrolling("scroll-tried", "Hyperparameters tried", table),
    el("p", { class: "note" }, `Means over ${DATA.runs}s. Selected is the best mean validation score among those with the most; test scores decide nothing.`)];
}

const candidateOf = (cell, job) => job.candidates.find(([place]) => place === cell.chosen);

function jobTable(cell, metric) {
  const at = DATA.metrics_of[cell.task].indexOf(metric);
  const rows = cell.jobs.map((place) => {
    const job = DATA.jobs[place];
    const [, epoch, val, test] = candidateOf(cell, job);
    const current = place === view.job;
    const pick = el("button", { type: "button", class: "pick", id: `pick-${place}`, "aria-pressed": String(current), onclick: () => go({ job: job.key }) }, `Seed ${job.seed}`);
    return el("tr", { class: current ? "picked" : null }, el("th", { scope: "row", class: "name" }, pick),
      [score(val[at]), score(test[at]), epoch ?? "–", job.seconds.total === undefined ? "–" : seconds(job.seconds.total)].map((text) => el("td", { class: "number" }, text)),
      el("td", { class: "name" }, el("code", {}, job.key)), el("td", { class: "number" }, job.warnings.length || "–"));
  });
  const head = ["Job", "Val", "Test", "Kept epoch", "Time", "Key", "Warnings"];
  const table = el("table", { class: "plain" }, el("caption", { class: "unseen" }, "Jobs behind the cell"),
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col", class: name === "Job" || name === "Key" ? "name" : "number" }, name)))), el("tbody", {}, rows));
  return [el("h3", {}, "Jobs"), scrolling("scroll-jobs", "Jobs behind the cell", table)];
}

function learning(cell) {
  const job = DATA.jobs[view.job];
  const title = el("h3", {}, "Learning curves");
  if (DATA.from_scores) return [title, el("p", { class: "note" }, "This page was made from scores.csv, which holds no learning curves.")];
  if (!DATA.points) return [title, el("p", { class: "note" }, "Left out: this store has too many jobs for one page. The records hold them, under “history”.")];
  if (!job.curves.length) return [title, el("p", { class: "note" }, "This method is not trained in epochs.")];
  const stages = job.curves.map(([stage], i) => ({ stage, i }));
  const others = cell.jobs.map((place) => DATA.jobs[place]).filter((other) => other !== job);
  const [metric, best] = [DATA.datasets[cell.dataset].metric, job.candidates.find(([place]) => place === job.chosen)?.[1]];
  const kept = (i) => (i === stages.length - 1 ? best : stages[i + 1].stage === "interpolation" ? job.base?.[1] : null);
  const pictures = stages.map(({ stage, i }) => {
    const own = job.curves[i];
    const same = others.map((other) => other.curves.find(([name]) => name === stage)).filter(Boolean);
    const loss = stage === "interpolation" ? "Val loss" : "Train loss";
    return el("div", { class: "stage" }, el("h4", {}, stageName(stage)), el("div", { class: "panels" },
      learningPanel(loss, own, same, 2, null, job), learningPanel(`Val ${metricName(metric)}`, own, same, 3, kept(i), job)));
  });
  const foreign = job.chosen !== cell.chosen ? el("p", { class: "notice" }, `This job’s own search chose ${params(DATA.params[job.chosen])}, and only that candidate’s curve is recorded: not the cell’s.`) : null;
  return [title, foreign, el("p", { class: "note" }, `Seed ${job.seed} in color, the cell’s other seeds in gray. The dashed line marks the epoch that was kept. At most ${DATA.points} epochs of a stage are in this page; the records hold all.`), ...pictures].filter(Boolean);
}

const stageName = (stage) => ({ ft: "Fine-tuning", lp: "Linear probing", interpolation: "Interpolation coefficients" })[stage] ?? stage;

function learningPanel(title, own, others, column, best, job) {
  const shape = ([, place, loss, val]) => {
    const values = column === 2 ? loss : val;
    return DATA.epochs[place].map((epoch, i) => ({ epoch, value: values[i] ?? null })).filter(({ value }) => value !== null);
  };
  const [line, rest] = [shape(own), others.map(shape)];
  if (!line.length) return null;
  const values = [line, ...rest].flat().map(({ value }) => value);
  const top = ceiling(values);
  const draw = (width) => {
    const height = Math.round(Math.min(230, Math.max(180, width * 0.55)));
    const [low, high] = bounds(values.map((value) => Math.min(value, top)));
    const epochs = [own, ...others].flatMap(([, place]) => DATA.epochs[place]); // of loss and score: equal axes side by side
    const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
    const [x, y] = [linear([first, last], [52, width - 14]), linear([low, high], [height - 34, 8])];
    const path = (points) => points.map(({ epoch, value }, i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const ticks = distinct([first, ...niceTicks(first, last, 4).filter((value) => Number.isInteger(value) && value - first > (last - first) / 8)]);
    const kept = best !== null && best !== undefined ? svg("line", { class: "kept", x1: x(best), x2: x(best), y1: 8, y2: height - 34 }) : null;
    const picture = svg("svg", { width, height }, frame({ width, height, x, y, xTicks: ticks.map((value) => [value, String(value)]), yTicks: niceTicks(low, high, 4), xLabel: "epoch" }),
      svg("svg", { class: "inside", width, height: height - 34 }, rest.map((points) => svg("path", { class: "line other", d: path(points) })), kept, svg("path", { class: "line own", d: path(line) })));
    return pointable(picture, line.map(({ epoch, value }) => ({ x: x(epoch), y: Math.max(8, y(value)), text: [`Epoch ${epoch}`, `${title} ${tick(value)}`] })));
  };
  return el("div", { class: "panel" }, el("p", { class: "axis-title" }, title, top < Math.max(...values) ? ", the highest values cut off" : ""), figure(`${title} of seed ${job.seed} by epoch`, draw));
}

function jobFacts(cell) {
  const job = DATA.jobs[view.job];
  const env = DATA.envs[job.env];
  const data = DATA.data[job.data];
  const names = DATA.metrics_of[cell.task];
  const listed = (values) => values.map((value, i) => (value === null ? null : `${DATA.metrics[names[i]].name} ${score(value)}`)).filter(Boolean).join(", ");
  const [, , val, test] = candidateOf(cell, job);
  const own = job.chosen === cell.chosen;
  const labels = data.count?.labels;
  const [alpha, rest] = [job.details.alpha, Object.fromEntries(Object.entries(job.details).filter(([name]) => name !== "alpha"))];
  return el("div", {}, el("h3", {}, `Job ${job.key}, seed ${job.seed}`),
    facts([
      ["Record", DATA.from_scores ? "" : el("code", {}, `runs/${job.key}.json`)],
      ["Train scores", own ? listed(job.train) : ""], ["Val scores", listed(val)], ["Test scores", listed(test)],
      ["Before it finished", job.base && own ? `${methodName(job.base[0])}: val ${listed(job.base[2])}; test ${listed(job.base[3])}` : ""],
      ["Coefficients α", alpha && own ? (typeof alpha === "object" ? Object.entries(alpha).map(([block, value]) => `${block} ${value.toFixed(3)}`).join(", ") : plain(alpha)) : ""],
      ["Details", own && Object.keys(rest).length ? params(rest) : ""],
      ["Molecules", data.count ? Object.entries(data.count.graphs).map(([part, n]) => `${part} ${n.toLocaleString("en")}`).join(", ") : ""],
      ["Labels used", labels?.weights !== undefined ? `${labels.weights.toLocaleString("en")} for weights, ${labels.selection.toLocaleString("en")} to select, ${labels.interpolation.toLocaleString("en")} for interpolation coefficients` : ""],
      ["Time", Object.entries(job.seconds).map(([stage, value]) => `${stage} ${seconds(value)}`).join(", ")],
      ["Peak memory", job.memory === null ? "" : `${Math.round(job.memory).toLocaleString("en")} MB`],
      ["Ran on", [env.device, env.threads && plural(env.threads, "thread"), env.processor, env.roftbench && `roftbench ${env.roftbench}`, env.commit && `commit ${env.commit.slice(0, 12)}`].filter(Boolean).join(", ")],
      ["Warnings", job.warnings.length ? el("ul", {}, job.warnings.map((place) => el("li", {}, DATA.warnings[place]))) : ""],
    ]));
}
