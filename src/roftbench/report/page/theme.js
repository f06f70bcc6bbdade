// Before the first paint: the choice of an earlier visit, where the browser keeps one for files.
try {
  const theme = localStorage.getItem("roftbench-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's scheme decides
}
