// Sending pictures: dropped anywhere on the page, chosen, pasted, as folders or ZIP. One request per file, three at a time,
// so a lost file is one file; each line shows how far it is and, if it is refused, the server's own sentence. While the
// browser is offline, or signed out, the files wait; they go on by themselves.
const AT_ONCE = 3;
const METER_EVERY = 1500;
const SHOWN = /^image\/(jpeg|png|gif|webp|avif|svg\+xml|bmp)$/; // what browsers can draw by themselves
const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed)).catch(() => null);
    return file && !file.name.startsWith(".") ? [file] : [];
  }
  const reader = entry.createReader();
  const found = [];
  // A folder is read in portions of a hundred; an empty portion is the end.
  for (;;) {
    const portion = await new Promise((done, failed) => reader.readEntries(done, failed)).catch(() => []);
    if (!portion.length) break;
    for (const one of portion) found.push(...(await filesOf(one)));
  }
  return found;
}

async function dropped(transfer) {
  // Entries must be taken before the first await: the list is emptied when the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const loose = [...transfer.files];
  if (!entries.length) return loose;
  const found = [];
  for (const entry of entries) found.push(...(await filesOf(entry)));
  return found;
}

class DropZone {
  constructor(root) {
    this.root = root;
    this.words = root.dataset;
    this.list = root.querySelector("[data-files]");
    this.total = root.querySelector("[data-total]");
    this.waiting = [];
    this.running = new Set();
    this.lost = new Set(); // that may be tried again
    this.count = { all: 0, done: 0, failed: 0, known: 0 };
    this.meter = 0;
    this.signedOut = false;
    this.listen();
  }

  get busy() {
    return this.running.size + this.waiting.length > 0;
  }

  listen() {
    const { root } = this;
    for (const input of root.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => {
        this.add([...input.files].filter((file) => !file.name.startsWith(".")));
        input.value = "";
      });
    }
    const folder = root.querySelector("[data-pick-folder]");
    if (folder && "webkitdirectory" in folder.querySelector("input")) folder.hidden = false;

    // dragenter and dragleave come for every child; the depth tells when the page is really left.
    let depth = 0;
    const over = (on) => {
      depth = on ? depth : 0;
      root.classList.toggle("is-over", on);
    };
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth += 1;
      over(true);
    });
    addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    });
    addEventListener("dragleave", () => {
      depth -= 1;
      if (depth <= 0) over(false);
    });
    addEventListener("drop", async (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      over(false);
      this.add(await dropped(event.dataTransfer));
    });
    addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length || event.target.closest?.("textarea, input")) return;
      event.preventDefault();
      this.add(files);
    });
    addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
    addEventListener("online", () => this.tryAll());
    addEventListener("offline", () => this.say());
    document.addEventListener("livery:signed-in", () => {
      this.signedOut = false;
      this.next();
    });
    this.total.querySelector("[data-retry-all]").addEventListener("click", () => this.tryAll());
    this.total.querySelector("[data-cancel-all]").addEventListener("click", () => {
      for (const item of [...this.waiting, ...this.running]) this.cancel(item);
    });
  }

  add(files) {
    // Captions go last, so that none arrives before its picture.
    const isCaption = (file) => file.name.toLowerCase().endsWith(".txt");
    for (const file of [...files].sort((a, b) => isCaption(a) - isCaption(b))) {
      const item = { file, row: this.row(file) };
      this.count.all += 1;
      this.waiting.push(item);
      item.row.button.onclick = () => this.cancel(item);
    }
    this.show();
    this.next();
  }

  row(file) {
    const row = document.createElement("li");
    row.className = "drop__file";
    const none = this.root.querySelector("[data-thumb]").content.firstElementChild.cloneNode(true);
    const thumb = SHOWN.test(file.type) && file.size < 3e7 ? document.createElement("img") : none;
    if (thumb !== none) {
      thumb.className = "drop__thumb";
      thumb.alt = "";
      thumb.src = URL.createObjectURL(file);
      thumb.onload = () => URL.revokeObjectURL(thumb.src);
      thumb.onerror = () => {
        URL.revokeObjectURL(thumb.src);
        thumb.replaceWith(none);
      };
    }
    const middle = document.createElement("div");
    middle.className = "stack gap1 progress";
    const name = document.createElement("div");
    name.className = "drop__name";
    const label = document.createElement("span");
    label.className = "clip";
    label.textContent = file.name;
    const said = document.createElement("span");
    said.className = "drop__said";
    said.textContent = this.words.textWaiting;
    name.append(label, said);
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", this.words.textProgress.replace("{name}", file.name));
    middle.append(name, bar);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button--quiet button--small";
    button.textContent = this.words.textCancel;
    row.append(thumb, middle, button);
    this.list.append(row);
    this.list.hidden = false;
    Object.assign(row, { said, bar, button });
    return row;
  }

  // What the lines say of files that wait.
  say() {
    const words = navigator.onLine ? this.words.textWaiting : this.words.textOffline;
    for (const { row } of this.waiting) row.said.textContent = words;
  }

  wait(item) {
    this.running.delete(item);
    const { row } = item;
    row.classList.remove("is-failed");
    row.bar.hidden = false;
    row.bar.value = 0;
    row.button.textContent = this.words.textCancel;
    row.button.onclick = () => this.cancel(item);
    this.waiting.unshift(item);
    this.say();
    this.show();
  }

  tryAll() {
    this.count.failed -= this.lost.size;
    for (const item of this.lost) this.wait(item);
    this.lost.clear();
    this.next();
  }

  next() {
    if (!navigator.onLine || this.signedOut) return this.say();
    while (this.running.size < AT_ONCE && this.waiting.length) this.send(this.waiting.shift());
  }

  send(item) {
    const { row, file } = item;
    const request = new XMLHttpRequest();
    item.request = request;
    this.running.add(item);
    row.classList.remove("is-failed");
    row.said.textContent = this.words.textSending;
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) row.bar.value = event.loaded / event.total;
    };
    request.upload.onload = () => {
      row.said.textContent = this.words.textChecking;
      row.bar.removeAttribute("value");
    };
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // No JSON: a proxy or an error page. The general sentence is shown.
      }
      if (request.status < 400 && answer.ok) return this.arrived(item, answer);
      if (request.status === 401) return this.ask(item);
      const again = request.status >= 500 || request.status === 429;
      this.failed(item, answer.sentence ?? this.words.textFailed, again, answer.code);
    };
    request.onerror = () => (navigator.onLine ? this.failed(item, this.words.textFailed, true) : this.wait(item));
    request.ontimeout = request.onerror;
    request.onabort = () => {
      this.running.delete(item);
      this.next();
      this.show();
    };
    const body = new FormData();
    body.append("file", file, file.name);
    request.open("POST", this.words.uploadUrl);
    request.setRequestHeader("X-CSRF-Token", csrf());
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
    this.show();
  }

  // Signed out: the file waits until the person has signed in over the page (signed-out.js).
  ask(item) {
    this.signedOut = true;
    this.wait(item);
    document.dispatchEvent(new CustomEvent("livery:signed-out"));
  }

  arrived(item, answer) {
    this.running.delete(item);
    // A picture that is here already is shown, but nothing was added; how many there are is one line for all.
    this.count.known += answer.known ?? 0;
    if (answer.new === 0) this.count.all -= 1;
    else this.count.done += 1;
    const target = document.querySelector(this.words.target);
    if (target && answer.html) {
      target.hidden = false;
      const box = document.createElement("template");
      box.innerHTML = answer.html;
      const fresh = [...box.content.children];
      // The same picture sent twice is answered with the tile that is already there.
      for (const one of fresh) document.getElementById(one.id)?.remove();
      target.prepend(...fresh);
      for (const one of fresh) window.htmx?.process(one);
      for (const empty of document.querySelectorAll("[data-empty-of]"))
        if (empty.dataset.emptyOf === this.words.target) empty.remove();
    }
    if (answer.notes?.length) {
      // What a ZIP could not give stays readable.
      item.row.bar.remove();
      item.row.said.textContent = answer.new === 0 ? "" : this.words.textDone;
      const notes = document.createElement("p");
      notes.className = "drop__said pre";
      notes.textContent = answer.notes.join("\n");
      item.row.children[1].append(notes);
      item.row.button.remove();
    } else item.row.remove();
    this.next();
    this.show();
    this.refresh();
    this.finish();
  }

  failed(item, sentence, again, code = "") {
    this.running.delete(item);
    this.count.failed += 1;
    if (again) this.lost.add(item);
    const { row } = item;
    row.classList.add("is-failed");
    row.bar.hidden = true;
    row.said.textContent = sentence;
    if (this.words.textsUrl && ["texts_instead", "document_instead"].includes(code)) {
      const link = document.createElement("a");
      link.href = this.words.textsUrl;
      link.textContent = this.words.textTexts;
      row.said.append(" ", link);
    }
    row.button.textContent = again ? this.words.textRetry : this.words.textRemove;
    row.button.onclick = () => {
      this.count.failed -= 1;
      if (!again) {
        this.count.all -= 1;
        row.remove();
        this.show();
        return;
      }
      this.lost.delete(item);
      this.wait(item);
      this.next();
    };
    this.next();
    this.show();
    this.finish();
  }

  cancel(item) {
    this.waiting = this.waiting.filter((one) => one !== item);
    this.count.all -= 1;
    item.row.remove();
    if (this.running.has(item)) item.request.abort();
    this.show();
    this.finish();
  }

  show() {
    this.total.hidden = this.count.all === 0 || (!this.busy && this.count.failed === 0);
    this.total.querySelector("[data-cancel-all]").hidden = !this.busy;
    this.total.querySelector("strong").textContent = this.words.textTotal
      .replace("{done}", String(this.count.done))
      .replace("{all}", String(this.count.all));
    this.total.querySelector("[data-retry-all]").hidden = this.lost.size < 2;
    const known = this.root.querySelector("[data-known]");
    known.hidden = this.count.known === 0;
    known.dataset.known = this.count.known;
    known.textContent = this.count.known === 1 ? this.words.textKnownOne : this.words.textKnown.replace("{count}", this.count.known);
    this.list.hidden = !this.list.children.length;
  }

  // The meter, and what else depends on the set: now and then while files arrive, and at the end.
  refresh() {
    if (!this.words.afterUrl || !this.count.done) return;
    clearTimeout(this.meter);
    const since = Date.now() - (this.asked ?? 0);
    const ask = () => {
      this.asked = Date.now();
      window.htmx?.ajax("GET", this.words.afterUrl, { swap: "none" }).catch(() => {}); // htmx has said it already
    };
    if (since >= METER_EVERY || !this.busy) ask();
    else this.meter = setTimeout(ask, METER_EVERY - since);
  }

  finish() {
    if (this.busy) return;
    this.root.dispatchEvent(new CustomEvent("livery:uploaded", { bubbles: true, detail: { ...this.count } }));
    if (!this.count.failed) this.count = { all: 0, done: 0, failed: 0, known: 0 };
  }
}

for (const root of document.querySelectorAll("[data-dropzone]")) new DropZone(root);
