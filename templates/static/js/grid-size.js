// The size slider of a grid: sets --tile or --row for the page and remembers it in this browser.
const root = document.documentElement;

function apply(slider) {
  root.style.setProperty(slider.dataset.sizeSlider, `${slider.value}px`);
}

for (const slider of document.querySelectorAll("[data-size-slider]")) {
  const key = `livery-size-${slider.dataset.sizeKey}`;
  let kept = null;
  try {
    kept = localStorage.getItem(key);
  } catch {
    // Storage may be closed; then the slider holds for this page.
  }
  if (kept) slider.value = kept;
  apply(slider);
  slider.addEventListener("input", () => {
    apply(slider);
    try {
      localStorage.setItem(key, slider.value);
    } catch {
      // As above.
    }
  });
}
