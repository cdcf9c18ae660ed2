// Small help for native parts: dialogs by id, the number beside a range, the sheet of the phone bar.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open-dialog]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.openDialog);
    if (!dialog || dialog.open) return;
    dialog.querySelector("[data-emptied]")?.replaceChildren(); // what it showed before is of something else
    dialog.showModal();
    return;
  }
  const closer = event.target.closest("[data-close-dialog]");
  if (closer) {
    closer.closest("dialog")?.close();
    return;
  }
  // A click on the backdrop arrives at the dialog itself.
  if (event.target instanceof HTMLDialogElement && event.target.classList.contains("dialog")) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
  for (const open of document.querySelectorAll(".rail__more[open]")) if (!open.contains(event.target)) open.open = false;
  const item = event.target.closest(".menu__item, .verbs__rest .button");
  if (item) item.closest("[popover]")?.hidePopover?.();
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-range]")) return;
  const output = document.querySelector(`[data-output-of="${CSS.escape(event.target.id)}"]`);
  if (output) output.value = event.target.valueAsNumber.toLocaleString(document.documentElement.lang) + (output.dataset.unit ?? "");
});

// Where the browser cannot anchor a popover to its button, we do.
if (!CSS.supports("anchor-name", "--a")) {
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!menu.matches?.("[data-menu]") || event.newState !== "open") return;
      const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`).getBoundingClientRect();
      const left = Math.max(8, Math.min(button.left, innerWidth - menu.offsetWidth - 8));
      const below = button.bottom + menu.offsetHeight + 8 < innerHeight;
      Object.assign(menu.style, { left: `${left}px`, top: `${below ? button.bottom : button.top - menu.offsetHeight - 8}px` });
    },
    true,
  );
}
