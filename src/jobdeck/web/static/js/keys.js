// Shortcuts: each works only where it has something to act on, and the help lists exactly those.
(() => {
  "use strict";
  const help = document.getElementById("help");

  const search = () => [...document.querySelectorAll("[data-search]")].find((field) => field.checkVisibility());
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const box = () => document.activeElement.closest("[data-row]")?.querySelector("[data-pick]");
  const retry = () => {
    const row = document.activeElement.closest("[data-row]");
    return (row ?? document.querySelector("#main .deeds"))?.querySelector('a[href$="/retry"]');
  };
  const opener = (row) => row.querySelector("[data-open]");

  function move(by) {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    opener(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  const manager = () => document.querySelector("[data-manager]");

  const KEYS = [
    { key: "/", does: "Search", when: search, act: () => (search().focus(), search().select()) },
    { key: "j", does: "Next row", when: () => rows().length, act: () => move(1) },
    { key: "k", does: "Previous row", when: () => rows().length, act: () => move(-1) },
    { key: "x", does: "Select the row", when: () => document.querySelector("[data-pick]"), act: () => box()?.click() },
    { key: "r", does: "Retry the job", when: retry, act: () => retry().click() },
    { key: "m", does: "Open the job manager", when: manager, act: () => manager().click() },
    { key: "Enter", does: "Open the row", when: () => rows().length },
    { key: "Ctrl K", does: "Go to a page, job or name; do something", when: () => jobdeck.palette },
    { key: "?", does: "Show this help", act: showHelp },
    { key: "Esc", does: "Close a dialog, leave a field" },
  ];

  function showHelp() {
    const list = document.getElementById("shortcuts");
    list.replaceChildren(...KEYS.filter(({ when }) => !when || when()).flatMap(({ key, does }) => {
      const term = document.createElement("dt");
      const cap = document.createElement("kbd");
      const text = document.createElement("dd");
      cap.textContent = key;
      text.textContent = does;
      term.append(cap);
      return [term, text];
    }));
    help.showModal();
    document.dispatchEvent(new CustomEvent("jobdeck:dialog"));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const field = event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const found = KEYS.find(({ key, act, when }) => key === event.key && act && (!when || when()));
    if (!found) return;
    event.preventDefault();
    found.act();
  });

  document.addEventListener("click", (event) => event.target.closest("[data-help]") && showHelp());
})();
