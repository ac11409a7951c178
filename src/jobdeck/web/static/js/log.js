// The log: a window onto it that follows its end or moves to where the reader goes, so that a long
// one is as quick as a short one. What lies before and after the window stands behind two links,
// which load by themselves when they come into sight.
(() => {
  "use strict";
  const KEY = "jobdeck-log-wrap";
  const MOST = 5000; // lines in the page
  const KEEP = 3500; // that stay when there are more
  const CHUNK = 100;
  const AHEAD = "600px";

  const box = () => document.getElementById("log");
  const lines = () => document.getElementById("lines");
  const link = (way) => lines().querySelector(`[data-${way}]`);
  const chunks = () => [...lines().querySelectorAll(":scope > .log-chunk")];
  const count = () => chunks().reduce((sum, chunk) => sum + chunk.childElementCount, 0);
  const number = (line) => line.id.slice(1);
  let follows = true;
  let missed = false; // lines came that were not put in, because the window is elsewhere
  let watcher;

  const atEnd = (element) => element.scrollHeight - element.scrollTop - element.clientHeight < 24;

  function show() {
    const button = document.querySelector("[data-follow]");
    if (button) button.setAttribute("aria-pressed", String(follows));
  }

  function toEnd() {
    const element = box();
    if (!element) return;
    element.scrollTop = element.scrollHeight;
    // Lines that come into sight may be taller than was thought.
    requestAnimationFrame(() => follows && (element.scrollTop = element.scrollHeight));
  }

  // ---- The window ----

  function address(base, place) {
    const url = new URL(base, location);
    for (const [name, value] of Object.entries(place)) url.searchParams.set(name, value);
    return url.pathname + url.search;
  }

  function makeLink(way, place) {
    const made = document.createElement("a");
    made.className = "log-more";
    made.dataset[way] = "";
    made.dataset.url = address(lines().dataset.url, place);
    made.href = `${address(lines().dataset.page, place)}#log-panel`;
    made.textContent = way === "earlier" ? "Earlier lines" : "Later lines";
    link(way)?.remove();
    if (way === "earlier") lines().prepend(made);
    else lines().append(made);
  }

  function cut(from) {
    if (count() <= MOST) return;
    const all = chunks();
    if (from === "top") {
      while (count() > KEEP && all.length > 1) all.shift().remove();
      makeLink("earlier", { before: number(all[0].firstElementChild) });
    } else {
      while (count() > KEEP && all.length > 1) all.pop().remove();
      makeLink("later", { after: number(all.at(-1).lastElementChild) });
    }
  }

  function watch() {
    watcher?.disconnect();
    if (!lines()) return;
    watcher = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) if (isIntersecting) load(target);
    }, { root: box(), rootMargin: `${AHEAD} 0px` });
    for (const way of ["earlier", "later"]) if (link(way)) watcher.observe(link(way));
  }

  async function fetchPart(url) {
    const response = await fetch(url, { headers: { "HX-Request": "true" } });
    if (!response.ok) throw new Error(response.status);
    const part = document.createElement("template");
    part.innerHTML = await response.text();
    jobdeck.times.localise(part.content);
    return part.content;
  }

  async function load(from) {
    if ("busy" in from.dataset) return;
    const { url } = from.dataset;
    // A log that was replaced meanwhile may go on with the same link.
    const over = () => !from.isConnected || from.dataset.url !== url;
    from.dataset.busy = "";
    try {
      const content = await fetchPart(url);
      if (!over()) put(from, content);
    } catch {
      if (over()) return;
      delete from.dataset.busy;
      from.textContent = "These lines could not be loaded. Try again";
    }
  }

  function put(from, content) {
    const element = box();
    const way = "earlier" in from.dataset ? "earlier" : "later";
    const [height, top] = [element.scrollHeight, element.scrollTop];
    const next = content.querySelector(`[data-${way}]`);
    if (!next && !lines().querySelector(".line") && !content.querySelector(".line")) sayEmpty();
    const found = content.querySelectorAll(".log-chunk");
    if (way === "earlier") {
      from.after(...found);
      if (next) from.replaceWith(next);
      else from.remove();
      element.scrollTop = top + element.scrollHeight - height;
      cut("bottom");
    } else {
      from.before(...found);
      if (next) from.replaceWith(next);
      else from.remove();
      const before = element.scrollHeight;
      cut("top");
      element.scrollTop = top - (before - element.scrollHeight);
      if (!next && missed) {
        missed = false;
        makeLater();
      }
    }
    watch();
  }

  function sayEmpty() {
    const text = document.createElement("p");
    text.className = "log-empty quiet";
    text.textContent = "No line matches.";
    lines().append(text);
  }

  function makeLater() {
    const last = chunks().at(-1)?.lastElementChild;
    if (last) makeLink("later", { after: number(last) });
  }

  async function jump(place) {
    const { url } = lines().dataset;
    const content = await fetchPart(address(url, place));
    if (lines()?.dataset.url !== url) return;
    missed = false;
    lines().replaceChildren(...content.children);
    watch();
  }

  // ---- What the stream brings ----

  function absorb() {
    const tail = document.getElementById("tail");
    if (!tail?.childElementCount) return;
    const came = [...tail.querySelectorAll(".line")];
    tail.replaceChildren();
    if (link("later") || (!follows && count() + came.length > MOST)) {
      if (!link("later")) makeLater();
      else missed = true;
      watch();
      return;
    }
    lines().querySelector(".log-empty")?.remove();
    let last = chunks().at(-1);
    for (const line of came) {
      if (document.getElementById(line.id)) continue;
      if (!last || last.childElementCount >= CHUNK) {
        last?.classList.add("full");
        last = document.createElement("div");
        last.className = "log-chunk";
        lines().append(last);
      }
      last.append(line);
    }
    if (follows) cut("top");
    watch();
  }

  document.addEventListener("htmx:after:swap", () => {
    const element = box();
    if (!element) return;
    if (!("ready" in element.dataset)) begin();
    absorb();
    if (follows) toEnd();
  });

  // ---- What the reader does ----

  function wrap(on) {
    box()?.classList.toggle("wrap", on);
    document.querySelector("[data-wrap]")?.setAttribute("aria-pressed", String(on));
  }

  function wrapped() {
    try {
      const chosen = localStorage.getItem(KEY);
      if (chosen) return chosen === "on";
    } catch {
      // storage is off
    }
    return matchMedia("(max-width: 48rem)").matches;
  }

  document.addEventListener("click", async (event) => {
    const more = event.target.closest("#lines > .log-more");
    if (more) {
      event.preventDefault();
      load(more);
    }
    if (event.target.closest("[data-follow]")) {
      const on = !follows;
      if (on && link("later")) await jump({});
      follows = on;
      show();
      if (on) toEnd();
    }
    if (event.target.closest("[data-first]")) {
      follows = false;
      show();
      if (link("earlier")) await jump({ after: 0 });
      box().scrollTop = 0;
    }
    if (event.target.closest("[data-wrap]")) {
      const on = !box().classList.contains("wrap");
      wrap(on);
      try {
        localStorage.setItem(KEY, on ? "on" : "off");
      } catch {
        // lasts until the next page
      }
    }
  });

  document.addEventListener("scroll", (event) => {
    if (event.target !== box()) return;
    follows = atEnd(box()) && !link("later");
    show();
  }, true);

  function begin() {
    const element = box();
    if (!element) return;
    element.dataset.ready = "";
    missed = false;
    wrap(wrapped());
    const wanted = /^#L(\d+)$/.exec(location.hash);
    const line = wanted && document.getElementById(wanted[0].slice(1));
    if (wanted && !line && new URLSearchParams(location.search).get("line") !== wanted[1]) {
      location.replace(address(location.href, { line: wanted[1] }) + location.hash);
      return;
    }
    follows = !line && !link("later");
    show();
    if (line) line.scrollIntoView({ block: "center" });
    else if (follows) toEnd();
    watch();
  }

  begin();
})();
