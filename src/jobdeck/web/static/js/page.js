// Small things that every page has: theme, copying, filters that apply at once, notice of an end.
(() => {
  "use strict";
  const THEMES = ["auto", "light", "dark"];
  const THEME_WORDS = { auto: "as the system", light: "light", dark: "dark" };
  const toggle = document.querySelector("[data-theme-toggle]");

  function showTheme() {
    const theme = jobdeck.theme.chosen();
    toggle.title = `Theme: ${THEME_WORDS[theme]}`;
    toggle.setAttribute("aria-label", `Change the theme, now ${THEME_WORDS[theme]}`);
    const use = toggle.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${{ auto: "theme", light: "sun", dark: "moon" }[theme]}`));
  }

  if (toggle) {
    showTheme();
    document.addEventListener("jobdeck:theme", showTheme);
    toggle.addEventListener("click", () => {
      jobdeck.theme.choose(THEMES[(THEMES.indexOf(jobdeck.theme.chosen()) + 1) % THEMES.length]);
    });
  }

  // What is cut off for lack of room is told in full where the pointer rests on it.
  document.addEventListener("pointerover", ({ target }) => {
    for (let part = target; part && part.id !== "main" && !part.title; part = part.parentElement) {
      if (part.scrollWidth <= part.clientWidth || getComputedStyle(part).textOverflow !== "ellipsis") continue;
      part.title = part.textContent.trim().replace(/\s+/g, " ");
      break;
    }
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      const { textContent, dataset } = document.getElementById(button.dataset.copy);
      await navigator.clipboard.writeText("absolute" in dataset ? location.origin + textContent : textContent);
      jobdeck.notice("Copied.");
    } catch {
      jobdeck.notice("The browser does not let this page copy; select the text instead.", "failed");
    }
  });

  // A choice in a filter applies at once; a custom range waits for its dates.
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!field.matches("[data-submit]")) return;
    const form = field.form;
    if (field.matches("[data-range]")) {
      const dates = form.querySelector(".filter-dates");
      dates.classList.toggle("shown", field.value === "custom");
      if (field.value === "custom") {
        dates.querySelector("input").focus();
        return;
      }
      for (const input of dates.querySelectorAll("input")) input.value = "";
    }
    form.requestSubmit();
  });

  // What an answer says of the filter holds, also for a list from which somebody has chosen before;
  // but not for what was chosen while the answer was on its way.
  const chosen = new WeakMap();
  let asked = 0;
  document.addEventListener("input", ({ target }) => chosen.set(target, performance.now()));
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.target?.id === "main") asked = performance.now();
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.target?.id !== "main") return;
    for (const list of document.querySelectorAll("#main form[role=search] select")) {
      if (chosen.get(list) > asked) continue;
      list.selectedIndex = Math.max([...list.options].findIndex((option) => option.defaultSelected), 0);
    }
  });

  // Empty conditions stay out of the address.
  document.addEventListener("formdata", (event) => {
    if (!event.target.matches(".filter")) return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

  // The job on this page has ended: said aloud, and in the title of the tab.
  const ENDS = { completed: "completed", failed: "failed", stopped: "was stopped" };
  const told = () => document.querySelector("[data-job-status]")?.dataset;
  let before = told()?.jobStatus;
  document.addEventListener("htmx:after:swap", () => {
    const job = told();
    if (!job || job.jobStatus === before) return;
    if (before && ENDS[job.jobStatus]) {
      jobdeck.notice(`Job ${job.job} ${ENDS[job.jobStatus]}.`, job.jobStatus);
      const empty = document.querySelector("#lines .log-empty[data-ended]");
      if (empty) empty.textContent = empty.dataset.ended;
    }
    before = job.jobStatus;
    if (job.title) document.title = job.title;
  });
})();
