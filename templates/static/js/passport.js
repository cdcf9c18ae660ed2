// The passport of a LoRA at once: only the header and the few bytes of its alphas are sent, of a file of any size. The whole
// file follows when somebody wants to convert or use it. Without scripts the form sends the whole file.
const LONGEST_HEADER = 8_000_000;
const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

async function beginning(file) {
  const start = new DataView(await file.slice(0, 8).arrayBuffer());
  const length = start.byteLength === 8 ? start.getBigUint64(0, true) : 0n;
  // What is no safetensors file is sent as it begins: the server has the sentence for it.
  const end = length > 0n && length <= BigInt(LONGEST_HEADER) ? 8 + Number(length) : 4096;
  return { header: file.slice(0, end), dataStart: end };
}

async function alphas(file, header, dataStart) {
  let content;
  try {
    content = JSON.parse(await header.slice(8).text());
  } catch {
    return new Blob([]);
  }
  const places = Object.entries(content)
    .filter(([name, one]) => name.endsWith(".alpha") && one?.data_offsets?.length === 2 && one.shape?.every((side) => side === 1))
    .map(([, one]) => one.data_offsets)
    .filter(([start, end]) => end > start && end - start <= 8)
    .sort((one, other) => one[0] - other[0]);
  return new Blob(places.map(([start, end]) => file.slice(dataStart + start, dataStart + end)));
}

class PassportZone {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.input = root.querySelector("input[type=file]");
    this.place = document.getElementById("passport");
    this.input.addEventListener("change", () => this.look());
    this.form.addEventListener("submit", (event) => this.send(event));
  }

  async look() {
    const file = this.input.files[0];
    const send = this.root.querySelector("[data-send]");
    if (send) send.hidden = true;
    this.place.replaceChildren();
    if (!file) return;
    this.root.querySelector("[data-name]").textContent = file.name;
    const { header, dataStart } = await beginning(file);
    const body = new FormData();
    body.set("header", header, "header");
    body.set("alphas", await alphas(file, header, dataStart), "alphas");
    body.set("size", String(file.size));
    const answer = await fetch(this.root.dataset.lookUrl, {
      method: "POST",
      body,
      headers: { "X-CSRF-Token": csrf(), "HX-Request": "true" },
    }).catch(() => null);
    if (this.input.files[0] !== file) return;
    const html = answer ? await answer.text() : "";
    if (!answer || !html) {
      this.place.textContent = this.root.dataset.textFailed;
      return;
    }
    this.place.innerHTML = html;
    if (answer.ok && send) send.hidden = false;
  }

  send(event) {
    const file = this.input.files[0];
    if (!file) return;
    event.preventDefault();
    const bar = this.root.querySelector("[data-progress]");
    const line = this.root.querySelector("[data-name]");
    bar.hidden = false;
    const request = new XMLHttpRequest();
    request.open("POST", this.form.action);
    request.setRequestHeader("X-CSRF-Token", csrf());
    request.setRequestHeader("HX-Request", "true");
    request.upload.addEventListener("progress", (progress) => {
      bar.value = progress.total ? progress.loaded / progress.total : 0;
      line.textContent = `${this.root.dataset.textSending}: ${file.name}`;
    });
    request.addEventListener("load", () => {
      const url = request.getResponseHeader("HX-Redirect");
      if (url) {
        location.assign(url);
        return;
      }
      bar.hidden = true;
      this.place.innerHTML = request.responseText;
    });
    request.addEventListener("error", () => {
      bar.hidden = true;
      line.textContent = this.root.dataset.textFailed;
    });
    request.send(new FormData(this.form));
  }
}

for (const root of document.querySelectorAll("[data-passport]")) new PassportZone(root);
