// A file that is dropped anywhere on the page goes into the field of [data-one-file], as if it had been chosen there.
const root = document.querySelector("[data-one-file]");
const input = root.querySelector("input[type=file]");
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
let depth = 0; // dragenter and dragleave come for every child; the depth tells when the page is really left

addEventListener("dragenter", (event) => {
  if (hasFiles(event) && ++depth === 1) root.classList.add("is-over");
});
addEventListener("dragleave", (event) => {
  if (hasFiles(event) && --depth === 0) root.classList.remove("is-over");
});
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  root.classList.remove("is-over");
  if (!event.dataTransfer.files[0]) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  input.files = one.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
