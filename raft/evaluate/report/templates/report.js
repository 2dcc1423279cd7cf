// The list of questions. All text enters the page as text nodes, never as markup.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const arms = data.arms;
const PAGE = 100;
const WORDS = { right: "right", partly: "partly right", wrong: "wrong", refused: "refused" };
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

function mark(kind, label) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("class", "mark");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const add = (tag, attributes) => {
    const shape = document.createElementNS(ns, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  };
  const title = document.createElementNS(ns, "title");
  title.textContent = label;
  svg.append(title);
  add("circle", { cx: 7, cy: 7, r: 5.5, class: kind === "right" ? "full" : "" });
  if (kind === "partly") add("path", { d: "M7 1.5a5.5 5.5 0 0 0 0 11z", class: "half" });
  if (kind === "refused") add("path", { d: "M4 7h6" });
  return svg;
}

// --- which questions to show

const said = (one, arm, ...marks) => one.arms[arm] && marks.includes(one.arms[arm].mark);
const failed = (one, arm) => said(one, arm, "wrong", "refused");
const known = (...names) => names.every((name) => arms.includes(name));
const lead = known("raft") ? "raft" : arms[arms.length - 1];
const answered = (one) => arms.filter((arm) => one.arms[arm]);
// A refusal without the right passage is laid to retrieval, which only the outcome knows.
const refusedWrongly = (given) => !!given && (given.outcome ? given.outcome === "refused_wrongly" : given.mark === "refused");
const filters = [
  ["All", () => true],
  known("raft", "rag") && ["raft right, rag wrong", (one) => said(one, "raft", "right") && failed(one, "rag")],
  known("raft", "rag") && ["rag right, raft wrong", (one) => said(one, "rag", "right") && failed(one, "raft")],
  known("raft", "dsf+rag") && ["raft right, dsf+rag wrong", (one) => said(one, "raft", "right") && failed(one, "dsf+rag")],
  ["every arm right", (one) => answered(one).every((arm) => said(one, arm, "right"))],
  ["no arm right", (one) => !arms.some((arm) => said(one, arm, "right"))],
  ["evidence not retrieved", (one) => one.recall === 0],
  [`${lead} refused wrongly`, (one) => refusedWrongly(one.arms[lead])],
  ["a quote not found", (one) => answered(one).some((arm) => one.arms[arm].unverified.length)],
  ["no answer in the documents", (one) => one.unanswerable],
].filter(Boolean);
const state = { filter: 0, found: [], shown: 0 };
const plain = (outcome) => outcome.replaceAll("_", " ");

for (const one of data.questions) {
  const answers = answered(one).map((arm) => one.arms[arm].answer);
  one.haystack = [one.id, one.question, one.kind, ...one.answers, ...one.documents, ...answers].join("\n").toLowerCase();
}

function chosen() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const regime = byId("regime").value;
  const kind = byId("kind").value;
  const [arm, field, value] = JSON.parse(byId("said").value || "[]");
  return data.questions.filter((one) =>
    (!regime || one.regime === regime) && (!kind || one.kind === kind) &&
    (!arm || (one.arms[arm] && one.arms[arm][field] === value)) &&
    words.every((word) => one.haystack.includes(word)));
}

// Made once, so that the focus stays where it is when their numbers change.
const buttons = filters.map(([label], place) => {
  const button = make("button", { type: "button" }, label, make("span", { class: "n" }));
  button.addEventListener("click", () => { state.filter = place; show(); });
  return button;
});

function show() {
  const candidates = chosen();
  filters.forEach(([, test], place) => {
    buttons[place].setAttribute("aria-pressed", String(place === state.filter));
    buttons[place].lastChild.textContent = candidates.filter(test).length;
  });
  state.found = candidates.filter(filters[state.filter][1]);
  state.shown = 0;
  byId("found").textContent = state.found.length ? `${state.found.length} of ${data.questions.length} questions`
    : "No question fits. Clear the search, or choose All.";
  byId("heads").hidden = !state.found.length;
  byId("cases").replaceChildren();
  extend(PAGE);
}

// Rows are added to those that stand, so that an open one stays open.
function extend(count) {
  const end = Math.min(state.shown + count, state.found.length);
  byId("cases").append(...state.found.slice(state.shown, end).map(row));
  state.shown = end;
  const rest = state.found.length - end;
  byId("more").hidden = !rest;
  byId("more").textContent = `Show ${Math.min(PAGE, rest)} more of ${state.found.length}`;
}

// --- one question

const anchor = (one) => `q-${encodeURIComponent(one.id)}`;

function row(one) {
  const cells = arms.map((arm) => {
    const answer = one.arms[arm];
    return make("span", { class: "cell", "data-arm": arm }, answer && mark(answer.mark, `${arm}: ${WORDS[answer.mark]}`));
  });
  const notes = [one.kind, one.regime].filter(Boolean).join(", ");
  const summary = make("summary", {}, make("span", { class: "asked" }, one.question, notes && " ", notes && make("small", {}, notes)), ...cells);
  const details = make("details", { class: "case", id: anchor(one) }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(detail(one));
  });
  return details;
}

function detail(one) {
  const link = make("a", { href: `#${anchor(one)}`, title: "link to this question" }, one.id);
  const gold = one.unanswerable
    ? make("p", { class: "gold" }, "The documents do not answer this: ", make("b", {}, "refusing is right"), ".", link)
    : make("p", { class: "gold" }, "Accepted: ", ...one.answers.flatMap((text, place) => [place ? " · " : "", make("b", {}, text)]),
      one.documents.length ? `, in ${one.documents.join(" and ")}` : "",
      one.recall != null && one.recall < 1 ? (one.recall ? " (only in part among the passages)" : " (not among the passages)") : "", link);
  const shown = one.passages.map((id, place) => passage(one, id, place + 1));
  const left = make("div", {}, ...answered(one).map((arm) => answer(one, arm, shown)));
  const right = make("div", {}, ...shown);
  return make("div", { class: "detail" }, gold, left, right);
}

function answer(one, arm, shown) {
  const given = one.arms[arm];
  const scores = data.metrics.map((name, place) => [name, given.scores[place]]).filter(([, value]) => value != null);
  // Offsets count characters, as Python does; JavaScript's own count UTF-16 units.
  const words = ([number, start, end]) => Array.from(data.passages[one.passages[number - 1]].text).slice(start, end).join("");
  const node = make("div", { class: "said", "data-arm": arm },
    make("h4", {}, mark(given.mark, WORDS[given.mark]), arm,
      make("span", { class: "score", title: data.outcomes[given.outcome] }, given.outcome ? plain(given.outcome) : WORDS[given.mark])),
    make("p", { class: given.answer ? "answer" : "answer none" }, given.answer || "nothing"),
    ...given.quotes.map((quote) => make("p", { class: "quote" }, make("b", {}, `[${quote[0]}]`), words(quote))),
    ...given.unverified.map(([number, text]) =>
      make("p", { class: "quote false", title: "these words are not in that passage" }, make("b", {}, `[${number}] not found`), " ", text)),
    make("p", { class: "scores" }, scores.map(([name, value]) => `${name} ${value}`).join(" · ")),
    make("div", { class: "folded" }, folded("raw output", given.text), folded("prompt", prompt(one, given))));
  const light = (on) => shown.forEach((box) => box.querySelectorAll("mark").forEach((found) =>
    found.classList.toggle("lit", on && JSON.parse(found.dataset.arms).includes(arm))));
  node.addEventListener("mouseenter", () => light(true));
  node.addEventListener("mouseleave", () => light(false));
  return node;
}

function folded(name, text) {
  return make("details", { class: "raw" }, make("summary", {}, name), make("pre", {}, text));
}

function prompt(one, given) {
  const [opening, ...pieces] = one.prompts[given.prompt];
  const text = (piece) => typeof piece === "string" ? piece : piece ? data.passages[one.passages[piece - 1]].text : one.question;
  return data.openings[opening] + pieces.map(text).join("");
}

function passage(one, id, number) {
  const { document: source, title, text } = data.passages[id];
  const evidence = one.documents.includes(source), oracle = one.oracles.includes(id);
  const where = [title === source ? "" : source, number > one.retrieved ? "not retrieved" : ""].filter(Boolean).join(", ");
  return make("div", { class: evidence ? "shown evidence" : "shown" },
    make("h4", {}, `[${number}] ${title}`, make("span", { class: "where" }, where),
      evidence && make("span", oracle ? { class: "badge", title: "right by the evidence of the question" }
        : { class: "badge plain", title: "no accepted answer stands word for word in this passage" },
        oracle ? "oracle" : "from an evidence document")),
    make("p", {}, ...highlighted(Array.from(text), number, one)));
}

function highlighted(characters, number, one) {
  const spans = arms.flatMap((arm) => (one.arms[arm] ? one.arms[arm].quotes : [])
    .filter((quote) => quote[0] === number).map(([, start, end]) => ({ arm, start, end })));
  const cuts = [...new Set([0, characters.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, place) => {
    const start = cuts[place];
    const text = characters.slice(start, end).join("");
    const by = spans.filter((span) => span.start <= start && span.end >= end).map((span) => span.arm);
    return by.length ? make("mark", { "data-arms": JSON.stringify(by), title: `quoted by ${by.join(", ")}` }, text) : text;
  });
}

// --- tables that are ordered by a click

function orderable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const name = (row) => row.cells[0].querySelector(".name").textContent;
  const number = (row, place) => parseFloat(row.cells[place].querySelector(".mean").textContent);
  const compare = (place, sign) => (one, other) => {
    const [left, right] = place ? [number(one, place), number(other, place)] : [0, 0];
    // What has no value stands last, whichever way.
    if (isNaN(left) || isNaN(right)) return isNaN(left) - isNaN(right);
    return sign * (left - right || (place ? 0 : name(one).localeCompare(name(other), undefined, { numeric: true })));
  };
  heads.forEach((head, place) => {
    const button = make("button", { type: "button", title: "order by this column" }, head.textContent);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare(place, up ? 1 : -1)));
    });
    head.replaceChildren(button);
  });
  table.tBodies[0].addEventListener("click", (event) => {
    const link = event.target.closest("a.name");
    if (!link) return;
    byId("search").value = link.textContent;
    state.filter = 0;
    show();
  });
}

// --- start

function options(select, name, values) {
  if (values.length < 2) return;
  select.append(make("option", { value: "" }, name), ...values.map((value) => make("option", { value }, value)));
  select.hidden = false;
  select.addEventListener("change", show);
}

function sayings(select) {
  select.append(make("option", { value: "" }, "Whatever the arms said"), ...arms.map((arm) => {
    const given = data.questions.filter((one) => one.arms[arm]).map((one) => one.arms[arm]);
    const values = (field) => [...new Set(given.map((answer) => answer[field]).filter(Boolean))].sort();
    const told = [...values("mark").map((mark) => ["mark", mark, WORDS[mark]]),
      ...values("outcome").map((outcome) => ["outcome", outcome, `outcome: ${plain(outcome)}`])];
    return make("optgroup", { label: arm }, ...told.map(([field, value, label]) =>
      make("option", { value: JSON.stringify([arm, field, value]) }, `${arm}: ${label}`)));
  }));
  select.addEventListener("change", show);
}

const distinct = (pick) => [...new Set(data.questions.map(pick).filter(Boolean))].sort();
document.documentElement.style.setProperty("--arms", arms.length);
options(byId("regime"), "Seen and unseen documents", distinct((one) => one.regime));
options(byId("kind"), "Every kind", distinct((one) => one.kind));
sayings(byId("said"));
byId("filters").append(...buttons);
byId("legend").append(...Object.entries({ ...WORDS, refused: "refused though answerable" })
  .map(([kind, label]) => make("span", {}, mark(kind, label), label)));
byId("heads").append(make("span", {}, "Question"), ...arms.map((arm) => make("span", {}, arm)));
byId("search").addEventListener("input", show);
byId("more").addEventListener("click", () => extend(PAGE));
// Paper has no button for the rest.
addEventListener("beforeprint", () => {
  extend(state.found.length);
  document.querySelectorAll("details.fold").forEach((one) => { one.open = true; });
});
document.querySelectorAll("table.ordered").forEach(orderable);
show();
const linked = data.questions.findIndex((one) => `#${anchor(one)}` === location.hash);
if (linked >= 0) {
  extend(Math.max(0, linked + 1 - state.shown));
  const found = byId("cases").children[linked];
  found.open = true;
  found.scrollIntoView();
}
