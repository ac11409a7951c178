// Loaded before anything is drawn, so that no page flashes in the other theme.
(() => {
  "use strict";
  const KEY = "jobdeck-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto"; // storage is off
    }
  }

  function apply() {
    const theme = chosen();
    const shown = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    document.documentElement.dataset.bsTheme = shown;
    document.dispatchEvent(new CustomEvent("jobdeck:theme", { detail: { theme, shown } }));
  }

  function choose(theme) {
    try {
      if (theme === "auto") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // lasts until the next page
    }
    apply();
  }

  document.documentElement.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", (event) => event.key === KEY && apply());
  window.jobdeck = { theme: { chosen, choose } };
})();
