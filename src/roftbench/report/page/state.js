// What is shown, as the part of the address after "#": every view can be linked, and Back goes back.
function hash() {
  return new URLSearchParams(location.hash.slice(1));
}

function go(changes) {
  const next = hash();
  next.delete("at");
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  if (text === location.hash.slice(1)) return;
  history.pushState(null, "", location.pathname + location.search + (text && `#${text}`)); // setting the hash would scroll
  render();
}

// The setting nearest to what the address asks for: what comes first in `order` counts most.
function nearest(wanted, order = PARTS) {
  const worth = (setting) => order.reduce((sum, part, i) => sum + (setting[part] === wanted.get(part) ? 2 ** (order.length - i) : 0), 0);
  return CHOOSABLE.reduce((best, setting) => (worth(setting) > worth(best) ? setting : best), BUSIEST);
}

const JOBS_IN = new Map();
CELLS.forEach((cell) => JOBS_IN.set(cell.setting, (JOBS_IN.get(cell.setting) ?? 0) + cell.jobs.length));
const BUSIEST = CHOOSABLE.reduce((best, setting) => ((JOBS_IN.get(setting.place) ?? 0) > (JOBS_IN.get(best.place) ?? 0) ? setting : best));

// Choose a part of the setting; others follow where the combination has no jobs.
function choose(part, value) {
  const wanted = new Map(PARTS.map((name) => [name, view.setting[name]]));
  wanted.set(part, value);
  const found = nearest(wanted, [part, ...PARTS.filter((name) => name !== part)]);
  go(Object.fromEntries(PARTS.map((name) => [name, found[name] === BUSIEST[name] ? null : found[name]])));
}

function readView() {
  const given = hash();
  const job = JOB_OF_KEY.get(given.get("job"));
  const cell = CELL_OF_JOB.get(job);
  const asked = new Map(PARTS.map((part) => [part, given.get(part) ?? BUSIEST[part]]));
  const linked = cell && !PARTS.some((part) => given.has(part)) && CHOOSABLE.find((setting) => setting.place === cell.setting);
  const metric = Object.fromEntries(TASKS.map((task) => {
    const name = given.get(task);
    return [task, DATA.metrics_of[task].includes(name) ? name : DATA.first_metric[task]];
  }));
  return {
    setting: linked || nearest(asked),
    metric,
    sort: Object.fromEntries(TASKS.map((task) => [task, readSort(given.get(`sort-${task}`))])),
    task: TASKS.includes(given.get("task")) ? given.get("task") : null,
    splits: given.get("splits") === "one" ? "one" : "all",
    labels: given.get("labels") === "one" ? "one" : "all",
    hidden: new Set((given.get("hide") ?? "").split(",").filter(Boolean)),
    job: cell ? job : null,
    at: given.get("at"),
  };
}

// "esol:worst" -> column and direction
function readSort(text) {
  const [, column, way] = /^(.*):(best|worst)$/.exec(text ?? "") ?? [];
  return column ? { column, way } : null;
}

let view;
