// A list that goes on when its end comes into sight: the link there loads what follows.
(() => {
  "use strict";
  const AHEAD = "400px";
  const AGAIN_MS = 3000; // after what did not work
  let watcher;

  async function load(link) {
    if ("busy" in link.dataset || document.hidden) return;
    const { url } = link.dataset;
    // A list that was replaced meanwhile may go on with the same link.
    const over = () => !link.isConnected || link.dataset.url !== url;
    link.dataset.busy = "";
    link.classList.add("busy");
    try {
      const response = await fetch(url, { headers: { "HX-Request": "true" } });
      if (!response.ok) throw new Error(response.status);
      const part = document.createElement("template");
      part.innerHTML = await response.text();
      jobdeck.times.localise(part.content);
      if (over()) return;
      link.replaceWith(part.content);
      watch();
    } catch {
      if (over()) return;
      delete link.dataset.busy;
      link.textContent = "That did not work. Try again";
      setTimeout(watch, AGAIN_MS);
    }
  }

  function watch() {
    watcher?.disconnect();
    watcher = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) if (isIntersecting) load(target);
    }, { rootMargin: AHEAD });
    for (const link of document.querySelectorAll("[data-more]")) watcher.observe(link);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-more]");
    if (!link) return;
    event.preventDefault();
    load(link);
  });
  document.addEventListener("visibilitychange", () => document.hidden || watch());
  document.addEventListener("htmx:after:swap", watch);
  watch();
})();
