// Ctrl-K: pages, jobs by number, names from the server, and what can be done on this page.
(() => {
  "use strict";
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const field = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  let deeds = [];
  let stale = false; // what is shown answers an older text
  let hurried = false; // Enter was pressed meanwhile

  // What the page itself offers: its buttons, by their words.
  function collect() {
    const offered = document.querySelectorAll("#main .deeds a, #main .card-head a.btn, #main .list-deeds a, [data-manager]");
    deeds = [...offered].filter((link) => link.checkVisibility()).map((link) => ({ link, name: link.textContent.trim() }));
  }

  function option({ link, name }) {
    const item = document.createElement("li");
    const inner = document.createElement("a");
    const words = document.createElement("span");
    const kind = document.createElement("small");
    item.setAttribute("role", "presentation");
    inner.setAttribute("role", "option");
    inner.setAttribute("aria-selected", "false");
    inner.href = link.href;
    inner.tabIndex = -1;
    words.className = "grow";
    words.textContent = name;
    kind.textContent = link.matches("[data-manager]") ? "on any page" : "on this page";
    inner.append(link.querySelector("svg").cloneNode(true), words, kind);
    item.append(inner);
    inner.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
      link.click();
    });
    return item;
  }

  const options = () => [...list.querySelectorAll("[role=option]:not([aria-disabled])")];
  const chosen = () => list.querySelector('[aria-selected="true"]');

  function choose(item) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === item));
    if (item) {
      item.scrollIntoView({ block: "nearest" });
      field.setAttribute("aria-activedescendant", item.id);
    } else field.removeAttribute("aria-activedescendant");
  }

  function arrange() {
    const text = field.value.trim().toLowerCase();
    const mine = deeds.filter(({ name }) => name.toLowerCase().includes(text)).map(option);
    const none = list.querySelector(".none");
    if (mine.length && none) none.parentElement.remove();
    list.prepend(...mine);
    options().forEach((item, at) => (item.id = `found-${at + 1}`));
    choose(options()[0]);
    stale = false;
    if (hurried) chosen()?.click();
    hurried = false;
  }

  function open() {
    if (document.querySelector("dialog[open]")) return;
    collect();
    field.value = "";
    stale = true;
    hurried = false;
    dialog.showModal();
    document.dispatchEvent(new CustomEvent("jobdeck:dialog"));
    htmx.trigger(field, "palette");
  }

  document.addEventListener("htmx:after:swap", (event) => event.detail.ctx.target === list && arrange());

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      open();
    }
  });

  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = options();
    if (step) {
      event.preventDefault();
      choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (stale) hurried = true;
      else chosen()?.click();
    }
  });
  field.addEventListener("input", () => {
    stale = true;
    hurried = false;
  });

  document.addEventListener("click", (event) => event.target.closest("[data-palette]") && open());
  Object.assign(jobdeck, { palette: open });
})();
