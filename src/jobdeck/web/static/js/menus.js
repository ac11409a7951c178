// Menus by keyboard, and beside their buttons where the style sheet cannot place them; the browser
// itself opens and closes them.
(() => {
  "use strict";
  const GAP = 4;

  function place(menu) {
    if (CSS.supports("position-area", "bottom span-left")) return;
    const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
    if (!button) return;
    const at = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const below = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
    menu.style.inset = "auto";
    menu.style.margin = "0";
    menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
    menu.style.top = `${below ? Math.min(at.bottom + GAP, innerHeight - height - 8) : at.top - GAP - height}px`;
  }

  const open = () => document.querySelector(".menu:popover-open");

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.(".menu") || event.newState !== "open") return;
    place(event.target);
    event.target.querySelector("a")?.focus();
  }, true);
  document.addEventListener("scroll", () => open() && place(open()), { capture: true, passive: true });
  addEventListener("resize", () => open() && place(open()));
  document.addEventListener("htmx:after:swap", () => open() && place(open()));

  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.(".menu:popover-open");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!menu || !step) return;
    event.preventDefault();
    const all = [...menu.querySelectorAll("a")];
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length]?.focus();
  });

  document.addEventListener("click", (event) => event.target.closest(".menu a") && open()?.hidePopover());
})();
