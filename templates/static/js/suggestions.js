// A suggested prompt is written onto the sheet, and the empty sheet shows one that suits the base model in use.
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-suggests]");
  if (!chosen) return;
  const sheet = document.getElementById(chosen.dataset.suggests);
  sheet.value = chosen.textContent;
  sheet.dispatchEvent(new Event("input", { bubbles: true }));
  sheet.focus();
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  const shown = event.detail.target.querySelector?.("[data-placeholder]");
  if (shown) document.getElementById("prompt").placeholder = shown.dataset.placeholder;
});
