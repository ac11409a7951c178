// The jobs that were started here have ended: said on the page, and by the browser itself while
// the page is hidden, if that was allowed.
(() => {
  "use strict";
  const WORDS = { completed: "has completed", failed: "has failed", stopped: "was stopped" };
  const { watch: cookie, watched: address, path } = document.body.dataset;
  const bell = document.querySelector("[data-bell]");
  let hiddenStream = null;

  const waiting = () => document.cookie.split("; ").find((each) => each.startsWith(`${cookie}=`))?.split("=")[1] ?? "";

  function forget(job) {
    const rest = waiting().split(".").filter((each) => each && each !== String(job));
    document.cookie = `${cookie}=${rest.join(".")}; path=${path}; max-age=${rest.length ? 86400 : 0}; samesite=lax`;
  }

  const words = ({ job, flow, status }) => `Job ${job} of ${flow} ${WORDS[status]}.`;

  document.addEventListener("ended", (event) => {
    const told = JSON.parse(event.detail.data);
    if (!waiting().split(".").includes(String(told.job))) return;
    forget(told.job);
    // A page that shows this job says so itself.
    if (!WORDS[told.status] || document.querySelector("[data-job]")?.dataset.job === String(told.job)) return;
    jobdeck.notice(words(told), told.status, told.address);
  });

  // The page's stream rests while it is hidden; this one carries nothing else.
  function whileHidden() {
    hiddenStream?.close();
    hiddenStream = null;
    if (!document.hidden || !waiting() || !("Notification" in window) || Notification.permission !== "granted") return;
    hiddenStream = new EventSource(address);
    hiddenStream.addEventListener("ended", (event) => {
      const told = JSON.parse(event.data);
      if (!WORDS[told.status]) return;
      const shown = new Notification(words(told), { tag: `jobdeck-${told.job}` });
      shown.addEventListener("click", () => {
        window.focus();
        location.assign(told.address);
      });
    });
  }
  document.addEventListener("visibilitychange", whileHidden);
  addEventListener("pagehide", () => hiddenStream?.close());

  // Asked only when somebody presses the bell.
  const BELL = {
    default: "Tell me outside this page, too, when a job that I started has ended",
    granted: "You are told outside this page, too, when a job that you started has ended",
    denied: "The browser does not let this page tell you outside it; its settings for this site do",
  };

  function showBell() {
    const state = Notification.permission;
    bell.hidden = false;
    bell.title = BELL[state];
    bell.setAttribute("aria-label", BELL[state]);
    bell.setAttribute("aria-pressed", String(state === "granted"));
    const use = bell.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, state === "denied" ? "#bell-off" : "#bell"));
  }

  if (bell && "Notification" in window && isSecureContext) {
    showBell();
    bell.addEventListener("click", async () => {
      if (Notification.permission === "default") await Notification.requestPermission();
      else jobdeck.notice(`${BELL[Notification.permission]}.`);
      showBell();
    });
  }

  // A request that takes long enough to be noticed shows that it is under way.
  let running = 0;
  let timer = null;
  const quiet = (ctx) => ctx?.sourceElement?.matches?.("[data-live], [data-check], [role=combobox]");

  function busy(by) {
    running = Math.max(running + by, 0);
    clearTimeout(timer);
    if (!running) document.documentElement.classList.remove("busy");
    else timer = setTimeout(() => document.documentElement.classList.add("busy"), 250);
  }
  document.addEventListener("htmx:before:request", (event) => quiet(event.detail.ctx) || busy(1));
  document.addEventListener("htmx:finally:request", (event) => quiet(event.detail.ctx) || busy(-1));
})();
