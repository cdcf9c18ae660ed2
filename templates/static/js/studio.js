// Both studios as workbenches: an order by keyboard, a start picture dropped onto the words, and ways from a result back
// to the sheet. The sheet is a pane where there is room (WIDE) and a popover from below elsewhere.
const WIDE = matchMedia("(min-width: 1100px)");
const sheet = () => document.getElementById("composer");
const isOpen = () => sheet()?.matches(":popover-open") ?? false;

function openSheet() {
  if (sheet() && !WIDE.matches && !isOpen()) sheet().showPopover();
}
function closeSheet() {
  if (isOpen()) sheet().hidePopover();
}
WIDE.addEventListener("change", () => WIDE.matches && closeSheet());

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !sheet()?.contains(event.target)) return;
  event.preventDefault();
  sheet().requestSubmit();
});

// Ordered: the stream is what counts now.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt === sheet() && event.detail.successful) closeSheet();
});

// Back and forward lead to the sheet as it was; the large view, which has entries of its own, is left alone.
const recipe = () => ["from", "again", "writing_id"].map((name) => new URL(location.href).searchParams.get(name)).join();
let shown = recipe();
addEventListener("popstate", () => recipe() !== shown && location.reload());

// A picture's or an order's recipe is put onto the sheet, and the stream stays where it is.
async function edit(link) {
  link.closest("[popover]")?.hidePopover();
  await window.htmx.ajax("GET", link.href, { source: link, target: "#composer", swap: "outerHTML" });
  history.pushState(null, "", link.href);
  shown = recipe();
  openSheet();
  const words = sheet().querySelector(".composer__prompt");
  words.focus();
  words.setSelectionRange(words.value.length, words.value.length);
}

let ordering = false;
async function more(button) {
  if (ordering) return;
  ordering = true;
  button.closest("[popover]")?.hidePopover();
  const url = `${button.closest("[data-tile]").dataset.acts}/more-like-this`;
  try {
    await window.htmx.ajax("POST", url, { source: button, target: "#results", swap: "afterbegin show:window:top" });
  } finally {
    ordering = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-more], [data-edit]");
  if (!button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (button.matches("[data-edit]") && !sheet()) return;
  event.preventDefault();
  if (button.matches("[data-edit]")) edit(button);
  else more(button);
});
// A start picture: chosen, dropped onto the words or pasted into them.
function startFrom(files) {
  const field = document.querySelector("[data-start-file]");
  const picture = [...files].find((file) => file.type.startsWith("image/") || /\.(heic|svg)$/i.test(file.name));
  if (!field || !picture) return false;
  const one = new DataTransfer();
  one.items.add(picture);
  field.files = one.files;
  field.form.requestSubmit();
  return true;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-start-file]") && event.target.files.length) event.target.form.requestSubmit();
});
document.addEventListener("paste", (event) => {
  if (event.target.closest?.("[data-start-drop]") && startFrom(event.clipboardData.files)) event.preventDefault();
});
const dropPlace = (event) =>
  event.dataTransfer?.types.includes("Files") ? event.target.closest?.("[data-start-drop]") : null;
for (const name of ["dragover", "dragleave", "drop"])
  document.addEventListener(name, (event) => {
    const place = dropPlace(event);
    document.querySelector("[data-start-drop]")?.classList.toggle("is-over", name === "dragover" && Boolean(place));
    if (!place) return;
    event.preventDefault();
    if (name === "drop") startFrom(event.dataTransfer.files);
  });
// What is wrong with a picture is said where the order's own refusals are.
document.getElementById("start-form")?.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr } = event.detail;
  const place = sheet()?.querySelector(".form-error");
  if (!place) return;
  place.textContent = "";
  if (xhr.status < 400 || !xhr.getResponseHeader("HX-Retarget")) return;
  event.preventDefault();
  place.textContent = new DOMParser().parseFromString(xhr.responseText, "text/html").body.textContent.trim();
});
