// [data-copy="value"], or the words of the element that data-copy-from names: copies, shows it on the button for a moment, and says it once to a screen reader.
async function write(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Self-hosted in an office often means plain http, where the clipboard is closed.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  await write(source ? source.textContent : button.dataset.copy);
  button.classList.add("is-copied");
  setTimeout(() => button.classList.remove("is-copied"), 1600);
  button.dispatchEvent(new CustomEvent("livery:toast", { bubbles: true, detail: { text: button.dataset.copied } }));
});
