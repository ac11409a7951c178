// Bars over time: how many jobs there were, and what became of them.
(() => {
  "use strict";
  const SERIES = [
    { label: "completed", token: "--jd-completed-solid" },
    { label: "failed", token: "--jd-failed-solid" },
    { label: "stopped", token: "--jd-stopped-solid" },
    { label: "not ended", token: "--jd-running-solid" },
  ];
  const drawn = new WeakMap(); // element: [chart, what it shows]
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Each series stands on those before it; the tallest is drawn first.
  function stack(bars) {
    const sums = bars.map(() => 0);
    const layers = SERIES.map((_, series) => bars.map((bar, at) => (sums[at] += bar[series + 1])));
    return [bars.map(([at]) => at), ...layers.reverse()];
  }

  function options(element, [width, height], barSeconds) {
    const line = { stroke: token("--jd-text-3"), grid: { stroke: token("--jd-line"), width: 1 }, ticks: { show: false } };
    const font = `11px ${token("--jd-font")}`;
    const bars = uPlot.paths.bars({ size: [0.82, 28], align: 1, radius: 0.15 });
    const brush = element.dataset.brush;
    const strip = element.matches(".strip");
    return {
      width,
      height,
      legend: { show: false },
      cursor: { points: { show: false }, y: false, drag: { x: Boolean(brush), y: false, setScale: false, dist: 4 } },
      ...(strip && { padding: [4, 18, 0, 18] }),
      scales: { x: { range: (_, min, max) => [min, max + barSeconds] }, y: { range: (_, __, max) => [0, Math.max(max * 1.08, 4)] } },
      axes: [
        { ...line, font, size: strip ? 18 : 40, space: 90, grid: { show: false }, values: strip ? days : [
          [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
          [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
          [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
        ] },
        { ...line, font, show: !strip, size: 44, values: (_, values) => values.map((v) => (Number.isInteger(v) ? jobdeck.number(v) : "")) },
      ],
      series: [{}, ...SERIES.map(({ label, token: name }) => ({ label, fill: token(name), width: 0, paths: bars, points: { show: false } })).reverse()],
      hooks: {
        setCursor: [(chart) => tell(element, chart, barSeconds)],
        setSelect: [(chart) => brush && chart.select.width > 0 && narrow(element, chart, chart.select.left, chart.select.left + chart.select.width)],
      },
    };
  }

  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const days = (chart, splits) => {
    const span = splits.at(-1) - splits[0];
    const words = span > 2 * 86400 ? day : span < 60 * splits.length ? clock : minute;
    return splits.map((at) => words.format(new Date(at * 1000)));
  };

  // A bar of whole days is told by its dates, any other with its date unless it is of today.
  function between(from, to) {
    const whole = [from, to].every((at) => !at.getHours() && !at.getMinutes() && !at.getSeconds());
    if (whole) {
      const last = new Date(to - 1000);
      return last.toDateString() === from.toDateString() ? day.format(from) : `${day.format(from)} – ${day.format(last)}`;
    }
    const dated = (at) => `${day.format(at)} ${minute.format(at)}`;
    if (from.toDateString() === to.toDateString()) {
      const words = `${clock.format(from)} – ${clock.format(to)}`;
      return from.toDateString() === new Date().toDateString() ? words : `${day.format(from)} ${words}`;
    }
    return `${dated(from)} – ${dated(to)}`;
  }

  // A part of the chart that was drawn over, or one bar, becomes the range of the list.
  function narrow(element, chart, left, right) {
    const { bar, brush } = element.dataset;
    const first = chart.data[0][0];
    const edge = (at, round) => first + round((chart.posToVal(at, "x") - first) / bar) * bar;
    const low = Math.max(edge(left, Math.floor), first);
    const high = Math.max(edge(right, Math.ceil), low + Number(bar));
    const text = (at) => new Date(at * 1000).toISOString().replace(".000Z", "Z");
    const link = document.createElement("a");
    link.href = brush.replace("FROM", encodeURIComponent(text(low))).replace("TO", encodeURIComponent(text(high)));
    element.after(link);
    htmx.process(link);
    link.click();
    link.remove();
  }

  function tell(element, chart, barSeconds) {
    const tip = element.querySelector(".plot-tip");
    const at = chart.cursor.left < 0 ? null : Math.floor((chart.posToVal(chart.cursor.left, "x") - chart.data[0][0]) / barSeconds);
    const bar = at === null ? null : drawn.get(element)?.[2][at];
    tip.hidden = !bar;
    if (!bar) return;
    const from = new Date(bar[0] * 1000);
    const counts = SERIES.map(({ label }, i) => [bar[i + 1], label]).filter(([n]) => n);
    const words = counts.length ? counts.map(([n, label]) => `${jobdeck.number(n)} ${label}`).join(", ") : "none";
    tip.textContent = `${between(from, new Date(+from + barSeconds * 1000))}: ${words}`;
  }

  function draw(element) {
    const { bars: text, bar } = element.dataset;
    const strip = element.matches(".strip");
    const [width, height] = strip
      ? [element.clientWidth, element.clientHeight]
      : [element.clientWidth - 16, element.clientHeight - 12];
    const shown = `${text} ${width} ${height} ${document.documentElement.dataset.bsTheme}`;
    const before = drawn.get(element);
    if (before?.[1] === shown || width < 50) return;
    before?.[0].destroy();
    element.replaceChildren();
    const tip = document.createElement("div");
    tip.className = "plot-tip";
    tip.hidden = true;
    element.append(tip);
    const bars = JSON.parse(text);
    drawn.set(element, [null, shown, bars]);
    const chart = new uPlot(options(element, [width, height], Number(bar)), stack(bars), element);
    drawn.set(element, [chart, shown, bars]);
    if (!element.dataset.brush) return;
    let pressed = 0;
    chart.over.addEventListener("mousedown", (event) => (pressed = event.clientX));
    chart.over.addEventListener("click", (event) => {
      const { left } = chart.cursor;
      if (Math.abs(event.clientX - pressed) < 4 && left >= 0) narrow(element, chart, left, left + 0.01);
    });
  }

  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
  drawAll();
  document.addEventListener("htmx:after:swap", drawAll);
  document.addEventListener("jobdeck:theme", drawAll);
  addEventListener("resize", drawAll);
})();
