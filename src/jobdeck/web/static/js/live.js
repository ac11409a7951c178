// The page's one stream: what to show of its state, and how its parts are put in place.
(() => {
  "use strict";
  const SILENCE = 45e3;
  const banner = document.getElementById("connection");
  let lost = null;
  let connected = null; // the source whose stream is open
  let heard = Date.now();

  const indicator = () => document.getElementById("live-state");
  const source = () => document.querySelector("[data-live]");
  const dialogOpen = () => document.querySelector("dialog[open]");

  function show(state, text) {
    const element = indicator();
    if (!element) return;
    element.hidden = false;
    element.dataset.state = state;
    element.textContent = text;
  }

  function showState() {
    if (lost) show("lost", "Not live");
    else if (dialogOpen()) show("paused", "Paused");
    else if (connected === source()) show("live", "Live");
    else show("off", "Connecting");
  }

  function sayLost(message) {
    banner.querySelector("span").textContent = message;
    banner.hidden = false;
    showState();
  }

  // A short break, such as a restart, is mended before anybody need hear of it.
  function lose(message = "Connection lost, trying again") {
    if (lost) {
      if (!banner.hidden) sayLost(message);
      return;
    }
    lost = setTimeout(() => sayLost(message), 1500);
  }

  function recover() {
    heard = Date.now();
    clearTimeout(lost);
    lost = null;
    banner.hidden = true;
    showState();
  }

  // A new element, because the extension goes on with the old one's address while that is there.
  function renew() {
    const old = source();
    const fresh = old.cloneNode();
    fresh.removeAttribute("data-htmx-powered");
    old.replaceWith(fresh);
    old._htmx?.sse?.reader?.cancel();
    htmx.process(fresh);
  }

  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (event.detail.connection.status >= 400) return;
    connected = event.target;
    recover();
  });
  document.addEventListener("htmx:sse:error", (event) => {
    lose(event.detail.status === 401 ? "You are signed out. Load the page again to sign in." : undefined);
  });
  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt > 0 && !document.hidden) lose();
  });
  // The first request of a stream is htmx's own, which does not try again.
  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== source()) return;
    if (ctx.sourceElement._htmx?.sse || ctx.response?.status < 400) return;
    if (ctx.response?.status === 404) return location.reload();
    lose();
    setTimeout(() => source() === ctx.sourceElement && renew(), 3000);
  });

  // A line can die without a word: no sign of life for long means it has.
  document.addEventListener("beat", () => (heard = Date.now()));
  setInterval(() => {
    const element = source();
    if (!element || document.hidden || Date.now() - heard < SILENCE) return;
    heard = Date.now();
    lose();
    renew();
  }, 5000);

  // What is watched travels with the request that opens the stream.
  document.addEventListener("jobdeck:watch", () => source() && renew());

  document.addEventListener("gone", () => location.reload());

  // Where it takes long to show a change, such as on a slow machine, the next one waits: at least
  // two thirds of the time belong to whoever uses the page.
  let restUntil = 0;
  let began = 0;
  document.addEventListener("htmx:before:swap", () => (began = performance.now()));
  document.addEventListener("htmx:after:swap", () => {
    const from = began;
    requestAnimationFrame(() => setTimeout(() => {
      const now = performance.now();
      restUntil = now + Math.min(2 * (now - from), 2000);
    }));
  });
  const rest = () => new Promise((resolve) => setTimeout(resolve, Math.max(restUntil - performance.now(), 0)));

  // Nothing moves behind an open dialog: what arrives waits until it is closed.
  async function turn() {
    await rest();
    for (let dialog = dialogOpen(); dialog; dialog = dialogOpen()) {
      showState();
      await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    }
  }
  document.addEventListener("htmx:sse:before:message", (event) => {
    heard = Date.now();
    event.detail.waitUntil(turn());
  });
  document.addEventListener("jobdeck:dialog", () => source() && showState());
  document.addEventListener("close", () => source() && showState(), true);

  // ---- Putting parts in place ----

  // While somebody reads a list, its rows change in place but none come, go or move.
  // What somebody has just done here shows at once, or when the dialog that tells of it is closed.
  const OWN = 3000;
  let acted = -OWN;
  let owed = false;
  const reading = (table) => !owed && performance.now() - acted > OWN && looksRead(table);
  document.addEventListener("close", () => owed && (acted = performance.now()), true);
  const touched = matchMedia("(hover: none)");
  // Where nothing hovers, nobody can tell whether a list is read: it is, if it can say what waits.
  const looksRead = (table) =>
    (touched.matches ? scrollY > 0 || (table.matches("table") && pill()) : table.matches(":hover")) ||
    table.contains(document.activeElement) || table.getBoundingClientRect().top < 0 || !getSelection().isCollapsed;
  const pill = () => document.getElementById("held");

  const held = new Map(); // region's id: [the HTML to show when nobody reads, number of new rows]

  // Lines that come in at the top of a list wait, too.
  const LINES = 2000;

  function holdLines(task) {
    const list = task.target.closest("[data-hold]");
    if (!list || !reading(list)) return;
    const [waiting, count] = held.get("tail") ?? ["", 0];
    const keep = document.createElement("div");
    keep.append(task.fragment.cloneNode(true));
    held.set("tail", [keep.innerHTML + waiting, count + task.fragment.querySelectorAll("[data-row]").length]);
    task.fragment.replaceChildren();
  }

  // The oldest leave a list that grows all day; its page, loaded again, has them.
  function shorten() {
    const lines = document.querySelectorAll("#found [data-row]");
    if (lines.length <= LINES) return;
    for (const line of [...lines].slice(LINES)) line.remove();
    document.querySelector("#found > [data-more]")?.remove();
  }

  function hold(task) {
    const shown = task.target?.querySelector?.("table[data-hold]");
    const coming = task.fragment.querySelector?.("table[data-hold]");
    if (!shown || !coming || !reading(shown)) {
      if (shown) owed = false;
      if (task.target?.id) held.delete(task.target.id);
      return;
    }
    const rows = new Map([...coming.tBodies[0].rows].map((row) => [row.id, row]));
    const old = [...shown.tBodies[0].rows];
    const known = new Set(old.map((row) => row.id));
    const fresh = [...rows.keys()].filter((id) => !known.has(id));
    const moved = [...rows.keys()].some((id, at) => id !== old[at]?.id);
    if (!moved && rows.size === known.size) {
      held.delete(task.target.id);
      return;
    }
    const keep = document.createElement("div");
    keep.append(task.fragment.cloneNode(true));
    held.set(task.target.id, [keep.innerHTML, fresh.length]);
    // New rows may have pushed the last ones off the page.
    const last = fresh.length ? old.findLastIndex((row) => rows.has(row.id)) : old.length;
    coming.tBodies[0].replaceChildren(...old.map((row, at) => {
      const same = rows.get(row.id) ?? row.cloneNode(true);
      if (!rows.has(row.id) && at < last) same.classList.add("gone");
      return same;
    }));
    for (const pager of task.fragment.querySelectorAll(".pager")) {
      const now = task.target.querySelector(".pager");
      if (now) pager.replaceWith(now.cloneNode(true));
    }
  }

  function sayHeld() {
    const button = pill();
    if (!button) return;
    const count = [...held.values()].reduce((sum, [, fresh]) => sum + fresh, 0);
    button.hidden = !count && !(touched.matches && held.size);
    const noun = button.dataset.noun ?? "job";
    const text = count === 1 ? `1 new ${noun}` : count ? `${count} new ${noun}s` : "The list has changed";
    if (!button.hidden) button.querySelector("span").textContent = text;
  }

  async function release() {
    for (const [id, [text]] of [...held]) {
      held.delete(id);
      const target = document.getElementById(id);
      if (target) await htmx.swap({ text, target, swap: id === "tail" ? "afterbegin" : "innerMorph", sourceElement: target, request: {}, released: true });
    }
    sayHeld();
  }

  document.addEventListener("jobdeck:acted", () => {
    acted = performance.now();
    owed = true;
    release();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#held")) return;
    scrollTo({ top: 0 });
    release();
  });
  document.addEventListener("pointerout", (event) => {
    const table = event.target.closest?.("[data-hold]");
    if (table && held.size && !table.contains(event.relatedTarget)) {
      setTimeout(() => !reading(table) && release(), 400);
    }
  });

  document.addEventListener("htmx:before:swap", (event) => {
    for (const task of event.detail.tasks) {
      if (!task.fragment?.querySelectorAll) continue;
      jobdeck.times.localise(task.fragment);
      if (task.target?.id === "main") held.clear(); // another list: what waits was for the one before
      if (event.detail.ctx.released) continue;
      if (task.swapSpec?.style === "innerMorph") hold(task);
      else if (task.swapSpec?.style === "afterbegin") holdLines(task);
    }
  });
  document.addEventListener("htmx:after:swap", () => {
    sayHeld();
    shorten();
    if (source()) showState();
  });

  htmx.registerExtension("jobdeck", {
    // What the reader has opened stays open.
    htmx_before_morph_attr: (element, detail) =>
      !(detail.attrName === "open" && element.matches("details, dialog")) &&
      detail.attrName !== "data-told",
  });

  if (source()) showState();
})();
