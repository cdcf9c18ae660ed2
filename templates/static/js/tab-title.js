// An element with data-progress="0…100" counts in the tab; data-progress="done" marks the end.
const name = document.title;

function count() {
  const value = document.querySelector("[data-progress]")?.dataset.progress;
  if (value === undefined || value === "") document.title = name;
  else if (value === "done") document.title = `✓ ${name}`;
  else document.title = `${Math.round(Number(value))} % · ${name}`;
}

count();
document.addEventListener("htmx:afterSettle", count);
document.addEventListener("htmx:oobAfterSwap", count);
document.addEventListener("livery:numbers", count);
