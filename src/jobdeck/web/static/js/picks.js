// Rows that are selected: how many there are, and which deeds they allow.
(() => {
  "use strict";
  const boxes = (form) => [...form.querySelectorAll("[data-pick]")].filter((box) => box.checkVisibility());
  const everything = () => document.querySelector("[data-pick-everything]");
  let last = null; // the box that was used before, where a range begins

  function showDeed(button, chosen) {
    const { pickDeed, lacks, refused } = button.dataset;
    const able = everything()?.checked || chosen.some((box) => box.dataset.can.split(" ").includes(pickDeed));
    const why = refused || (chosen.length ? (able ? "" : lacks) : "Select some rows first.");
    button.setAttribute("aria-disabled", String(Boolean(why)));
    document.getElementById(button.getAttribute("aria-describedby")).textContent = why;
  }

  function show(form) {
    const all = boxes(form);
    const chosen = all.filter((box) => box.checked);
    const total = form.querySelector("[data-pick-all]");
    if (total) {
      total.checked = all.length > 0 && chosen.length === all.length;
      total.indeterminate = chosen.length > 0 && !total.checked;
      total.disabled = !all.length;
    }
    const words = document.querySelector("[data-picked]");
    const offer = document.querySelector("[data-everything]");
    if (offer) {
      offer.hidden = !total?.checked;
      if (offer.hidden) everything().checked = false;
    }
    const text = everything()?.checked ? `${everything().dataset.told} selected` : chosen.length ? `${jobdeck.number(chosen.length)} selected` : "None selected";
    if (words) {
      words.dataset.count = chosen.length;
      if (words.textContent !== text) words.textContent = text;
    }
    for (const button of document.querySelectorAll("[data-pick-deed]")) showDeed(button, chosen);
  }

  const showAll = () => document.querySelectorAll("#picks").forEach(show);

  document.addEventListener("change", (event) => {
    const box = event.target;
    const form = box.closest?.("#picks");
    if (!form) return;
    if (box.matches("[data-pick]:not(:checked)") && everything()) everything().checked = false;
    if (box.matches("[data-pick-all]")) for (const each of boxes(form)) each.checked = box.checked;
    show(form);
  });

  // With Shift, everything between this box and the one before it.
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches?.("[data-pick]")) return;
    const all = boxes(box.closest("#picks"));
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    last = box;
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-pick-none]")) return;
    for (const form of document.querySelectorAll("#picks")) {
      for (const box of boxes(form)) box.checked = false;
      show(form);
    }
  });

  // A button that cannot act says why, and does nothing.
  document.addEventListener("click", (event) => {
    if (!event.target.closest('[data-pick-deed][aria-disabled="true"]')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("htmx:after:swap", showAll);
  addEventListener("pageshow", showAll);
  showAll();
})();
