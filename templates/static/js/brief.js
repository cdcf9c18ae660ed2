// A brief says how many ads it makes, and a group of channels can be ticked at once.
const form = document.querySelector("[data-brief]");
const count = form.querySelector("[data-count]");
const number = (value) => value.toLocaleString(document.documentElement.lang);
const ticked = (name) => form.querySelectorAll(`[name="${name}"]:checked`).length;

function told() {
  const own = [...form.querySelectorAll('[name="own_name"]')].filter((field) => field.value.trim()).length;
  const more = form.elements.more_locales.value.split(/[\s,;]+/).filter(Boolean).length;
  const [audiences, channels, locales] = [ticked("personas") + own, ticked("channels"), ticked("locales") + more];
  const ads = audiences * channels * locales;
  const { one, many, none, parts } = count.dataset;
  if (!ads) return none;
  const made = ads === 1 ? one : many.replace("{n}", number(ads));
  const sum = parts.replace("{a}", number(audiences)).replace("{c}", number(channels)).replace("{l}", number(locales));
  return ads === 1 ? made : `${sum} = ${made}`;
}

function show() {
  const text = told();
  if (count.textContent !== text) count.textContent = text;
  for (const group of form.querySelectorAll("[data-places]")) {
    const all = group.querySelector("[data-all] input");
    const places = [...group.querySelectorAll('[name="channels"]')];
    const chosen = places.filter((place) => place.checked).length;
    all.closest("[data-all]").hidden = places.length < 2;
    all.checked = chosen === places.length;
    all.indeterminate = chosen > 0 && chosen < places.length;
  }
}

form.addEventListener("change", (event) => {
  if (event.target.closest("[data-all]"))
    for (const place of event.target.closest("[data-places]").querySelectorAll('[name="channels"]')) place.checked = event.target.checked;
  show();
});
form.addEventListener("input", show);
show();
