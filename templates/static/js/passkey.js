// Forms that a passkey fills in: before such a form is sent, its options are fetched, the browser asks the person for the
// passkey, and what it gives goes into the hidden field "credential". Options to make a passkey name the person ("user").
// Sent without that such a form would be refused, so its button waits until htmx and this module serve it.
function say(form, text) {
  const place = form.querySelector(".form-error");
  const said = document.createElement("p");
  said.className = "field__error";
  said.textContent = text;
  place.replaceChildren(said);
}

async function options(form) {
  const answer = await fetch(form.dataset.passkey, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { accept: "application/json", "x-csrf-token": form.elements.csrf_token.value },
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.sentence);
  return found;
}

async function credential(found) {
  if (found.user) {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(found) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(found) });
}

document.addEventListener("htmx:load", (event) => {
  for (const button of event.target.querySelectorAll("form[data-passkey] [type=submit]")) button.disabled = false;
});

document.addEventListener("htmx:confirm", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.passkey) return;
  event.preventDefault();
  let found;
  try {
    found = await options(form);
  } catch (error) {
    return say(form, error.message);
  }
  try {
    form.elements.credential.value = JSON.stringify(await credential(found));
  } catch {
    return say(form, form.dataset.textRefused);
  }
  event.detail.issueRequest(true);
});
