// One dialog for every deed: a link brings its form, an answer closes it or says what is wrong.
(() => {
  "use strict";
  const dialog = document.getElementById("dialog");
  const notices = document.getElementById("notices");
  const SHOWN = 8000;

  function notice(text, tone = "", address = "") {
    const made = document.getElementById("notice-template").content.cloneNode(true).firstElementChild;
    const place = made.querySelector("p");
    if (tone) made.dataset.tone = tone;
    if (address) {
      const link = document.createElement("a");
      link.href = address;
      link.textContent = text;
      place.append(link);
    } else place.textContent = text;
    notices.append(made);
    while (notices.children.length > 4) notices.firstElementChild.remove();
    fade(made);
  }

  // Stays while somebody points at it or is in it.
  function fade(element) {
    setTimeout(() => {
      if (element.matches(":hover, :focus-within")) fade(element);
      else element.remove();
    }, SHOWN);
  }

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx.target?.id !== "dialog-body") return;
    jobdeck.times.fields(dialog);
    if (!dialog.open) dialog.showModal();
    document.dispatchEvent(new CustomEvent("jobdeck:dialog"));
    const wrong = dialog.querySelector('[aria-invalid="true"]');
    (wrong || dialog.querySelector("[autofocus]"))?.focus();
  });

  // A form that is checked while it is filled in: of what was not touched yet, nothing is said.
  document.addEventListener("input", (event) => (event.target.dataset.touched = ""));

  document.addEventListener("htmx:after:swap", (event) => {
    if (!event.detail.ctx.sourceElement?.matches?.("[data-check]")) return;
    for (const wrong of dialog.querySelectorAll(".field .field-error")) {
      const field = document.getElementById(wrong.id.replace(/-error$/, ""));
      if (field && !("touched" in field.dataset)) wrong.replaceChildren();
      field?.setAttribute("aria-invalid", String(wrong.childElementCount > 0));
    }
  });

  dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());

  document.addEventListener("click", (event) => {
    const closer = event.target.closest("[data-close]");
    if (closer?.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    event.target.closest("[data-dismiss]")?.closest(".notice").remove();
  });

  document.addEventListener("jobdeck:done", (event) => {
    dialog.close();
    notice(event.detail.notice, event.detail.tone, event.detail.address);
    if (event.detail.watch) document.dispatchEvent(new CustomEvent("jobdeck:watch"));
  });

  // What went wrong on the way to a dialog or another view must not be silent, nor take away what is shown.
  const UNCHANGED = "Nothing was changed as far as this page knows; try again.";
  const STANDS = "The page shows what it showed before; try again.";

  document.addEventListener("htmx:error", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (!source || source.matches("[data-live], [data-check], [role=combobox]")) return;
    notice(`The server did not answer. ${source.closest("dialog, [hx-get]") ? UNCHANGED : STANDS}`, "failed");
  });

  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const target = ctx.target?.id ?? String(ctx.target ?? "").replace("#", "");
    if (target !== "main" || ctx.response.status < 500) return;
    event.preventDefault();
    notice(`The store did not answer. ${STANDS}`, "failed");
  });

  Object.assign(jobdeck, { notice });
})();
