// Words of a campaign: how long they are, and a variant that is taken with one click, into one field or several.
function count(said) {
  const field = document.getElementById(said.dataset.countOf);
  const [length, good] = [[...field.value].length, Number(said.dataset.good)];
  said.textContent = `${length} / ${good}`;
  said.toggleAttribute("data-over", length > good);
}

const counters = (root) => root.querySelectorAll("[data-count-of]");
document.addEventListener("input", (event) => {
  const said = document.querySelector(`[data-count-of="${CSS.escape(event.target.id)}"]`);
  if (said) count(said);
});
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-fill]");
  if (!chosen) return;
  const words = document.getElementById(chosen.dataset.fillFrom).textContent;
  const fields = chosen.dataset.fill.split(" ").map((id) => document.getElementById(id));
  for (const field of fields) {
    field.value = words.slice(0, field.maxLength);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  fields[0].focus();
});
document.addEventListener("htmx:afterSettle", () => counters(document).forEach(count));
counters(document).forEach(count);
