// Puts the parts together: what the address says is drawn, and what is chosen goes into the address.
function keepingPlace(draw) {
  const focused = document.activeElement?.id;
  const scrolled = [...document.querySelectorAll(".scroll")].map((box) => [box.id, box.scrollLeft]);
  draw();
  scrolled.forEach(([id, left]) => {
    if (left && byId(id)) byId(id).scrollLeft = left;
  });
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
}

// Each part is drawn again only if something that it shows has changed.
const SHOWN = new Map();
function draw(part, shows, make) {
  const now = JSON.stringify(shows);
  if (SHOWN.get(part) === now) return;
  SHOWN.set(part, now);
  make();
}

function render() {
  view = readView();
  const { setting, metric, sort, splits, labels, task, hidden, job, at } = view;
  const compared = [setting, splits, labels, task, metric];
  hideTip();
  keepingPlace(() => {
    draw("filters", [setting], drawFilters);
    draw("board", [setting, metric, sort], drawBoard);
    draw("versus", compared, drawVersus);
    draw("curves", [setting, [...hidden], metric], drawCurves);
    draw("jobs", [job], drawJobs);
  });
  if (at) byId(at)?.scrollIntoView();
}

function toSection(event) {
  event.preventDefault(); // the address keeps the view
  const section = byId(new URLSearchParams(event.currentTarget.hash.slice(1)).get("at"));
  section.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  section.focus({ preventScroll: true });
}

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function nameTheme() {
  byId("theme").textContent = dark() ? "Light theme" : "Dark theme";
}

function switchTheme() {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  nameTheme();
  try {
    localStorage.setItem("roftbench-theme", theme);
  } catch {
    // no storage: the choice holds for this visit
  }
}

document.querySelectorAll("nav.sections a, a.skip").forEach((link) => link.addEventListener("click", toSection));
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("theme").addEventListener("click", switchTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
DIALOG.addEventListener("cancel", (event) => { event.preventDefault(); closeJobs(); });
DIALOG.addEventListener("click", (event) => { if (event.target === DIALOG) closeJobs(); }); // the backdrop
addEventListener("hashchange", render);
addEventListener("scroll", hideTip, { passive: true });
nameTheme();
drawFailures();
drawFacts();
render();
document.documentElement.dataset.ready = "";
