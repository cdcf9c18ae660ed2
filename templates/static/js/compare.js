// The compare slider: a range moves the clip. Without this script both pictures are still seen, half each.
document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-compare]");
  if (box) box.style.setProperty("--at", `${event.target.value}%`);
});
