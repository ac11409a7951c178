// Times in the reader's zone: relative ones age, running durations grow. And numbers, as the server
// writes them.
(() => {
  "use strict";
  const MINUTE = 60e3;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const year = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const zone = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  // How far the server's clock is ahead of this one: hosts' clocks differ.
  let ahead = 0;

  const present = () => Date.now() + ahead;
  const two = (number) => String(number).padStart(2, "0");

  function duration(ms) {
    if (ms < 999.5) return `${Math.max(Math.round(ms), 0)} ms`;
    if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
    const whole = Math.round(ms / 1000);
    const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
    const [minutes, seconds] = [Math.floor(whole / 60) % 60, whole % 60];
    if (days) return `${days} d ${two(hours)} h`;
    if (hours) return `${hours} h ${two(minutes)} min ${two(seconds)} s`;
    return minutes ? `${minutes} min ${two(seconds)} s` : `${seconds} s`;
  }

  const sameDay = (one, other) => one.toDateString() === other.toDateString();

  const plain = (at, now) => (at.getFullYear() === now.getFullYear() ? `${day.format(at)} ${short.format(at)}` : year.format(at));

  function dated(at, now) {
    if (sameDay(at, now)) return short.format(at);
    if (sameDay(at, new Date(now - DAY))) return `yesterday ${short.format(at)}`;
    if (sameDay(at, new Date(+now + DAY))) return `tomorrow ${short.format(at)}`;
    return plain(at, now);
  }

  function relative(at, now) {
    const ms = now - at;
    const [size, before, after] = [Math.abs(ms), ms < 0 ? "in " : "", ms < 0 ? "" : " ago"];
    if (size < 5e3) return ms < 0 ? "in a moment" : "just now";
    if (size < MINUTE) return `${before}${Math.floor(size / 1000)} s${after}`;
    if (size < HOUR) return `${before}${Math.floor(size / MINUTE)} min${after}`;
    if (size < 12 * HOUR) return `${before}${Math.floor(size / HOUR)} h${after}`;
    return dated(at, now);
  }

  const STYLES = {
    ago: relative,
    clock: (at, now) => (sameDay(at, now) ? clock.format(at) : plain(at, now)),
    log: (at) => `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`,
    exact: (at) => zone.format(at),
  };

  function write(element, text) {
    if (element.firstChild?.nodeType === 3 && !element.firstChild.nextSibling) {
      if (element.firstChild.nodeValue !== text) element.firstChild.nodeValue = text;
    } else element.textContent = text;
  }

  function tell(element, now) {
    if (element.dataset.since) {
      write(element, duration(now - new Date(element.dataset.since)));
      return;
    }
    const at = new Date(element.dateTime);
    const style = element.dataset.style;
    if (!style || isNaN(at)) return;
    write(element, STYLES[style](at, now));
    if (style !== "log" && !element.dataset.told) {
      element.title = `${zone.format(at)} · ${element.dateTime}`;
      element.dataset.told = "";
    }
  }

  function localise(root) {
    const now = new Date(present());
    for (const element of root.querySelectorAll("time")) tell(element, now);
  }

  function age() {
    if (document.hidden) return;
    const now = new Date(present());
    for (const element of document.querySelectorAll('time[data-since], time[data-style="ago"]')) tell(element, now);
  }

  // Fields of dates hold the reader's time; forms send UTC.
  function fields(root) {
    for (const input of root.querySelectorAll("input[data-utc]")) {
      const at = new Date(`${input.defaultValue}Z`);
      if (input.dataset.told === undefined && !isNaN(at)) {
        input.value = new Date(at - at.getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
      }
      input.dataset.told = "";
    }
    for (const hint of root.querySelectorAll("[data-utc-hint]")) hint.hidden = true;
  }

  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll("input[data-utc]")) {
      const at = new Date(input.value);
      if (input.value && !isNaN(at)) event.formData.set(input.name, at.toISOString().slice(0, 19));
    }
  });

  // What a form sends while somebody types in it is gathered field by field.
  document.addEventListener("htmx:config:request", (event) => {
    const { sourceElement, request } = event.detail.ctx;
    for (const input of sourceElement.matches(".preview") ? sourceElement.closest("form").querySelectorAll("input[data-utc]") : []) {
      const at = new Date(input.value);
      if (input.value && !isNaN(at)) request.body.set(input.name, at.toISOString().slice(0, 19));
    }
  });

  const sent = new Date(document.body.dataset.now || NaN);
  if (!isNaN(sent)) {
    const began = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
    // A page out of the cache would mislead by its age.
    if (began && Math.abs(sent - began) > 2000) ahead = sent - began;
  }
  localise(document);
  fields(document);
  setInterval(age, 1000);
  document.addEventListener("visibilitychange", age);
  const grouped = new Intl.NumberFormat("en-GB");
  const number = (value) => grouped.format(value).replaceAll(",", "\u202f");
  Object.assign(jobdeck, { number, times: { localise, fields, duration } });
})();
