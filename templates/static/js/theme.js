// The brightness switch answers at once; the server keeps the choice (POST /preferences) for the next page.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-theme-switch] button");
  if (!button) return;
  event.preventDefault();
  const root = document.documentElement;
  if (button.value === "auto") root.removeAttribute("data-theme");
  else root.dataset.theme = button.value;
  for (const one of document.querySelectorAll("[data-theme-switch] button"))
    one.setAttribute("aria-pressed", String(one.value === button.value));
  const form = button.form;
  await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)), credentials: "same-origin", redirect: "manual" });
});
