// The field for a filter completes names and values; a head with Shift sorts by one more column.
(() => {
  "use strict";
  const field = () => document.querySelector("[data-complete]");
  const list = () => document.getElementById("completions");
  let asked = 0;
  let timer = null;

  const options = () => [...(list()?.querySelectorAll("[role=option]") ?? [])];
  const chosen = () => list()?.querySelector('[aria-selected="true"]');

  function wire(input) {
    if (input.hasAttribute("aria-expanded")) return;
    for (const [name, value] of Object.entries({
      role: "combobox", "aria-expanded": "false", "aria-controls": "completions", "aria-autocomplete": "list",
    })) input.setAttribute(name, value);
  }

  function close() {
    clearTimeout(timer);
    asked++;
    if (!list()) return;
    list().hidden = true;
    field().setAttribute("aria-expanded", "false");
    field().removeAttribute("aria-activedescendant");
  }

  async function ask(input) {
    clearTimeout(timer); // or its answer would take away what was chosen meanwhile
    const mine = ++asked;
    const query = new URLSearchParams({ q: input.value, at: input.selectionStart });
    let text = "";
    try {
      const answer = await fetch(`${input.dataset.complete}?${query}`);
      if (answer.ok) text = await answer.text();
    } catch { /* the field is a plain one then */ }
    if (mine !== asked || document.activeElement !== input) return;
    list().innerHTML = text;
    const any = options().length > 0;
    list().hidden = !any;
    input.setAttribute("aria-expanded", String(any));
    input.removeAttribute("aria-activedescendant");
  }

  function soon(input) {
    wire(input);
    clearTimeout(timer);
    timer = setTimeout(() => ask(input), 120);
  }

  function mark(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    option.scrollIntoView({ block: "nearest" });
    field().setAttribute("aria-activedescendant", option.id);
  }

  function take(option) {
    const input = field();
    input.value = option.dataset.text;
    input.setSelectionRange(option.dataset.caret, option.dataset.caret);
    input.focus();
    close();
    soon(input);
  }

  document.addEventListener("input", (event) => event.target.matches("[data-complete]") && soon(event.target));
  document.addEventListener("focusin", (event) => event.target.matches("[data-complete]") && wire(event.target));
  document.addEventListener("focusout", (event) => event.target.matches("[data-complete]") && close());

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.("[data-complete]")) return;
    const all = options();
    const isOpen = list() && !list().hidden;
    if (event.key === "ArrowDown" && !isOpen) {
      event.preventDefault();
      ask(event.target);
    } else if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = all.indexOf(chosen());
      mark(all[(at < 0 && step < 0 ? all.length - 1 : at + step + all.length) % all.length]);
    } else if (isOpen && chosen() && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      take(chosen());
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Enter") close();
  }, true);

  // Before the field loses the focus.
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest("#completions [role=option]");
    if (!option) return;
    event.preventDefault();
    take(option);
  });

  document.addEventListener("click", (event) => {
    const head = event.target.closest("a[data-also]");
    if (!head || !event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const link = document.createElement("a");
    link.href = head.dataset.also;
    head.after(link);
    htmx.process(link);
    link.click();
    link.remove();
  }, true);

  // Conditions that are empty stay out of the address.
  document.addEventListener("formdata", (event) => {
    if (!event.target.matches(".filter-text, [data-sparse]")) return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
})();
