// The log: follows its end, wraps or not, and stays where the reader left it.
(() => {
  "use strict";
  const KEY = "jobdeck-log-wrap";
  const box = () => document.getElementById("log");
  let follows = true;

  const atEnd = (element) => element.scrollHeight - element.scrollTop - element.clientHeight < 24;

  function show() {
    const button = document.querySelector("[data-follow]");
    if (button) button.setAttribute("aria-pressed", String(follows));
  }

  function toEnd() {
    const element = box();
    if (element) element.scrollTop = element.scrollHeight;
  }

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

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-follow]")) {
      follows = !follows;
      show();
      if (follows) toEnd();
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
    follows = atEnd(box());
    show();
  }, true);

  // Lines put in above must not move those that are being read.
  let height = 0;
  document.addEventListener("htmx:before:swap", () => (height = box()?.scrollHeight ?? 0));
  document.addEventListener("htmx:after:swap", (event) => {
    const element = box();
    if (!element) return;
    if (event.detail.ctx.sourceElement?.matches?.("[data-earlier]")) {
      element.scrollTop += element.scrollHeight - height;
    } else if (follows) toEnd();
    if (!("ready" in element.dataset)) begin();
  });

  function begin() {
    const element = box();
    if (!element) return;
    element.dataset.ready = "";
    wrap(wrapped());
    const line = location.hash.startsWith("#L") && document.getElementById(location.hash.slice(1));
    follows = !line;
    show();
    if (line) line.scrollIntoView({ block: "center" });
    else toEnd();
  }

  begin();
})();
