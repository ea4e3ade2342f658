// The charts, by Vega-Lite. What a reader needs stands in the page without them.
const data = JSON.parse(document.getElementById("data").textContent);
const choice = (id) => document.getElementById(id);
const COLOURS = data.colours;
const text = { labelColor: "currentColor", titleColor: "currentColor" };
const config = {
  background: null,
  view: { stroke: null },
  axis: { ...text, gridColor: "currentColor", gridOpacity: 0.12, domainColor: "currentColor", tickColor: "currentColor" },
  legend: text,
  header: text,
  title: { color: "currentColor" },
  text: { color: "currentColor" },
  range: { category: COLOURS },
};
const narrow = innerWidth < 640;
const draw = (element, spec) => vegaEmbed(element, { config, ...spec }, { renderer: "svg", actions: false });
const open = { calculate: "'#entry-' + datum.entry", as: "page" };

// A chart of its own for each part, so that they flow with the width of the window.
const add = (element, spec) => draw(element.appendChild(document.createElement("div")), spec);

const ends = (points) => [Math.min(...points.map(({ low, rate }) => low ?? rate)), Math.max(...points.map(({ high, rate }) => high ?? rate))];

data.fronts.forEach(({ division, points }, k) => add(choice("front"), {
  title: { text: division, anchor: "start" },
  description: `Win rate against cost in ${division}, each entry a point; the table above holds the numbers.`,
  data: { values: points },
  transform: [open],
  width: narrow ? innerWidth - 80 : 420,
  height: 240,
  encoding: {
    x: { field: "cost", type: "quantitative", scale: { type: "log", nice: false, padding: 40 }, title: "cost (rows handled, replace = 1)" },
    y: { field: "rate", type: "quantitative", scale: { domain: ends(points) }, axis: { format: ".0%" }, title: "duels won (more is better)" },
    color: { value: COLOURS[k % COLOURS.length] },
    href: { field: "page" },
    tooltip: ["entry", "rate", "low", "high", "cost"].map((field) => ({ field })),
  },
  layer: [
    { transform: [{ filter: "datum.front" }], mark: { type: "line", interpolate: "step-after", opacity: 0.5 } },
    { mark: { type: "rule", opacity: 0.5 }, encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } } },
    { mark: { type: "point", filled: true, size: 60, opacity: 1 } },
    { transform: [{ filter: "datum.front" }], mark: { type: "text", align: "left", dx: 6, dy: -7 }, encoding: { text: { field: "entry" }, color: { value: "currentColor" } } },
  ],
}));

// Whole ranks, about ten of them.
const ranksOf = (rows) => rows.map((_, i) => i + 1).filter((rank) => (rank - 1) % Math.ceil(rows.length / 12) === 0);

for (const { division, rows } of data.ranks) {
  add(choice("ranks"), {
    title: { text: division, anchor: "start" },
    description: `Rank intervals of ${division}; the table above holds the numbers.`,
    data: { values: rows },
    transform: [open, { calculate: "datum.low - 0.3", as: "begin" }, { calculate: "datum.high + 0.3", as: "end" }],
    width: Math.min(420, innerWidth - 230),
    height: { step: 17 },
    encoding: {
      y: { field: "entry", type: "nominal", sort: { field: "rank" }, title: null, axis: { labelLimit: 200 } },
      href: { field: "page" },
      tooltip: ["entry", "rank", "low", "high"].map((field) => ({ field })),
    },
    layer: [
      { mark: { type: "rule", strokeWidth: 4, opacity: 0.5, color: COLOURS[0] }, encoding: { x: { field: "begin", type: "quantitative", title: "rank", axis: { values: ranksOf(rows), format: "d" }, scale: { domain: [0.5, rows.length + 0.5], nice: false } }, x2: { field: "end" } } },
      { mark: { type: "point", filled: true, size: 60, opacity: 1, color: COLOURS[0] }, encoding: { x: { field: "rank", type: "quantitative" } } },
    ],
  });
}

choice("overlap").hidden = data.ranks.length === 0;

// The curves of an entry, drawn when its page is first opened. The axis holds all but replace, which mostly leaves it.
function curves(page) {
  const own = page.dataset.entry;
  const shown = [...new Set([own, "replace", "real-only", page.dataset.base])].filter(Boolean);
  const [legend, charts, others, without] = [".legend", ".curves", ".others .charts", ".without"].map((name) => page.querySelector(name));
  shown.forEach((entry, i) => {
    const word = legend.appendChild(document.createElement("span"));
    word.style.setProperty("--colour", COLOURS[i]);
    word.textContent = entry;
  });
  const diverged = [];
  for (const part of data.curves.filter((part) => part.runs[own])) {
    const values = shown.filter((entry) => part.runs[entry]).flatMap((entry) => {
      const [mean, low, high] = part.runs[entry];
      return part.t.map((t, i) => ({ entry, t, mean: mean[i], low: low[i], high: high[i] })).filter((point) => point.mean !== null);
    });
    const name = `${part.task}: ${part.instance}`;
    if (!values.some((point) => point.entry === own)) diverged.push(name);
    const held = values.filter((point) => point.entry === own || point.entry !== "replace");
    if (held.length) add(part.first ? charts : others, panel(part, name, own, shown, values, held));
  }
  others.parentNode.hidden = others.childElementCount === 0;
  if (diverged.length) without.textContent = `No finite mean: ${diverged.join(", ")}.`;
}

function panel(part, name, own, shown, values, held) {
  const [least, most] = [Math.min(...held.map((point) => point.low)), Math.max(...held.map((point) => point.high))];
  const log = least > 0 && most > 20 * least;
  const domain = log ? [least, most] : [least - 0.05 * (most - least), most + 0.4 * (most - least)];
  const axis = { type: "quantitative", title: null, scale: { type: log ? "log" : "linear", domain, zero: false, nice: false }, axis: { format: ".5~g", tickCount: 5 } };
  return {
    description: `Test loss by iteration of ${own} and the reference lines, ${name}; the table below holds the final losses.`,
    title: { text: name, subtitle: part.unit + (log ? ", logarithmic" : ""), subtitleColor: "currentColor", fontSize: 11, subtitleFontSize: 10 },
    data: { values },
    width: 230,
    height: 140,
    encoding: {
      x: { field: "t", type: "quantitative", title: "iteration", axis: { tickMinStep: 1 } },
      color: { field: "entry", type: "nominal", scale: { domain: shown, range: COLOURS }, legend: null },
      tooltip: ["entry", "t", "mean", "low", "high"].map((field) => ({ field })),
    },
    layer: [
      { mark: { type: "area", opacity: 0.2, clip: true }, encoding: { y: { field: "low", ...axis }, y2: { field: "high" } } },
      { mark: { type: "line", point: { size: 14 }, clip: true }, encoding: { y: { field: "mean", ...axis } } },
    ],
  };
}

const title = document.title;
function opened() {
  const page = location.hash.startsWith("#entry-") && document.getElementById(location.hash.slice(1));
  document.title = page ? `${page.dataset.entry} · Thrive` : title;
  if (!page) return;
  scrollTo(0, 0);
  if (!page.querySelector(".legend span")) curves(page);
}
addEventListener("hashchange", opened);
opened();
document.body.dataset.drawn = "";
