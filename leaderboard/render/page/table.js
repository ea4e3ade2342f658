// The situation, the order and the search of the board's table. Without it, all divisions stand below one another, each in its order.
const choice = (id) => document.getElementById(id);
const body = document.body;
const table = choice("rows");
const parts = [...table.tBodies];
const CHOICES = ["track", "budget", "judge"];
let column = 0;
let down = false;

const keyOf = (row) => {
  const cell = row.cells[column];
  return (column === 0 && cell.getAttribute(`data-order-${choice("judge").value}`)) || cell.dataset.order || cell.textContent.trim();
};
const NONE = 1e9; // and beyond: there is no number, which sorts last both ways

function compare(a, b) {
  const [x, y] = [a.key, b.key];
  const [p, q] = [Number(x), Number(y)];
  if (Number.isNaN(p) || Number.isNaN(q)) return (down ? -1 : 1) * String(x).localeCompare(String(y));
  if (p >= NONE || q >= NONE) return p - q;
  return down ? q - p : p - q;
}

function order(part) {
  const rows = [...part.querySelectorAll("tr[data-entry]")].map((row) => ({ row, key: keyOf(row) }));
  part.append(...rows.sort(compare).map(({ row }) => row));
}

function show() {
  const [track, budget, judge] = CHOICES.map((id) => choice(id).value);
  body.dataset.judge = judge;
  const words = choice("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const everyone = choice("everyone").checked || words.length > 0;
  for (const part of parts) {
    part.hidden = !everyone && (part.dataset.track !== track || part.dataset.budget !== budget);
    let found = 0;
    for (const row of part.querySelectorAll("tr[data-entry]")) {
      row.hidden = !words.every((word) => row.dataset.text.includes(word));
      found += !row.hidden;
    }
    part.querySelector(".group").hidden = found === 0;
    if (!part.hidden) order(part);
  }
  answer(track, budget, judge, words);
}

// The entries that share the first place of the division, or the count of those that were found.
function answer(track, budget, judge, words) {
  const shown = [...table.querySelectorAll("tr[data-entry]")].filter((row) => !row.hidden && !row.parentNode.hidden);
  const mine = parts.find((part) => part.dataset.track === track && part.dataset.budget === budget);
  if (words.length) return void (choice("answer").textContent = `${shown.length} found, in all divisions.`);
  if (!mine) return void (choice("answer").textContent = `Nobody has entered ${track}, ${budget} budget yet.`);
  const ranked = [...mine.querySelectorAll("tr[data-entry]")].map((row) => {
    const place = row.cells[0].querySelector(`.judge.${judge}`);
    const [low, high] = (place.querySelector("small")?.textContent ?? place.textContent).split("–").map(Number);
    return { entry: row.dataset.entry, rank: parseInt(place.textContent), low, high: high ?? low };
  }).filter(({ rank }) => rank > 0);
  const best = ranked.filter(({ rank }) => rank === 1);
  const first = best.map(({ entry }) => entry);
  const others = best.some(({ high }) => high > best.length) ? ranked.filter(({ rank, low }) => rank > 1 && low === 1).map(({ entry }) => entry) : [];
  const on = judge === "all" ? "over all task-settings" : `on ${choice("judge").selectedOptions[0].textContent}`;
  choice("answer").textContent = `${track}, ${budget} budget, ${on}: `
    + (first.length ? `${first.join(" and ")} first${others.length ? `; not separable from first: ${others.join(", ")}` : ", and no other may be"}.` : "nobody is ranked.");
}

function sort(head) {
  const at = head.cellIndex;
  down = column === at && !down;
  column = at;
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", other === head ? (down ? "descending" : "ascending") : "none");
  show();
}

// The situation stands in the address: #for=labelled,fixed,kde.
const address = () => `#for=${CHOICES.map((id) => choice(id).value).join(",")}`;
function read() {
  if (!location.hash.startsWith("#for=")) return;
  location.hash.slice(5).split(",").forEach((value, i) => {
    const select = choice(CHOICES[i] ?? "track");
    if ([...select.options].some((option) => option.value === value)) select.value = value;
  });
}

for (const id of CHOICES) choice(id).addEventListener("change", () => { sortByRank(); history.replaceState(null, "", address()); show(); });
for (const id of ["everyone", "text"]) choice(id).addEventListener("input", show);
choice("more").addEventListener("change", ({ target }) => body.classList.toggle("wider", target.checked));
choice("situation").addEventListener("submit", (event) => event.preventDefault());
table.tHead.addEventListener("click", ({ target }) => { const head = target.closest("th"); if (target.closest("button")) sort(head); });
table.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-entry]");
  if (row && !event.target.closest("a")) location.hash = `entry-${row.dataset.entry}`;
});
addEventListener("hashchange", () => { read(); show(); });
for (const back of document.querySelectorAll(".back")) back.addEventListener("click", (event) => { event.preventDefault(); location.hash = address(); });

function sortByRank() {
  [column, down] = [0, false];
  [...table.tHead.rows[0].cells].forEach((head, i) => head.setAttribute("aria-sort", i ? "none" : "ascending"));
}
sortByRank();
if (!parts.some((part) => part.dataset.track === "blind" && part.dataset.budget === "fixed") && parts.length) {
  choice("track").value = parts[0].dataset.track;
  choice("budget").value = parts[0].dataset.budget;
}
read();
show();
