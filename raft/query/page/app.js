// Ask, and show the answer with its quotes marked inside their passages. Every word from the server is set as
// textContent, never as markup: documents are data.
"use strict";

const at = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Offsets from the server count characters (code points), while JavaScript's strings count UTF-16 units.
function marked(passage, quotes) {
  const characters = Array.from(passage.text);
  const spans = quotes
    .filter((quote) => quote.passage_id === passage.id)
    .map((quote) => [quote.start - passage.start, quote.end - passage.start])
    .sort((a, b) => a[0] - b[0]);
  const pieces = [];
  let done = 0;
  for (const [from, to] of spans) {
    if (to <= done) continue;
    const start = Math.max(from, done);
    pieces.push(document.createTextNode(characters.slice(done, start).join("")));
    pieces.push(element("mark", "", characters.slice(start, to).join("")));
    done = to;
  }
  pieces.push(document.createTextNode(characters.slice(done).join("")));
  return pieces;
}

function quoteItem(quote, number) {
  const item = element("li");
  item.append(element("blockquote", "", quote.text));
  const where = element("p", "where");
  const link = element("a", "", quote.source);
  link.href = `#passage-${number}`;
  where.append(link, ` · characters ${quote.start} to ${quote.end}`);
  item.append(where);
  return item;
}

function passageItem(passage, quotes, number) {
  const item = element("li");
  item.id = `passage-${number}`;
  if (quotes.some((quote) => quote.passage_id === passage.id)) item.className = "quoted";
  item.append(element("h3", "", passage.title || passage.document_id));
  const place = `characters ${passage.start} to ${passage.end} · score ${passage.score.toFixed(3)}`;
  item.append(element("p", "where", passage.title ? `${passage.document_id} · ${place}` : place));
  const text = element("p", "text");
  text.append(...marked(passage, quotes));
  item.append(text);
  return item;
}

function facts(reply) {
  const parts = [];
  if (!reply.abstained && reply.quotes.length === 0) parts.push("No quote backs this answer: check it yourself");
  if (reply.unverified === 1) parts.push("1 claimed quote is not in the passage it names and is not shown");
  if (reply.unverified > 1) parts.push(`${reply.unverified} claimed quotes are not in the passages they name and are not shown`);
  parts.push(`${reply.seconds.toFixed(1)} s`);
  return parts.join(" · ");
}

function show(reply) {
  at("asked").textContent = reply.question;
  at("answer").textContent = reply.answer || "The model wrote no answer.";
  at("answer").className = reply.abstained ? "abstained" : "";
  at("facts").textContent = facts(reply);
  const place = new Map(reply.passages.map((passage, index) => [passage.id, index + 1]));
  at("quotes").replaceChildren(...reply.quotes.map((quote) => quoteItem(quote, place.get(quote.passage_id))));
  at("quotes-section").hidden = reply.quotes.length === 0;
  at("passages").replaceChildren(
    ...reply.passages.map((passage, index) => passageItem(passage, reply.quotes, index + 1)),
  );
  at("result").hidden = false;
}

async function post(question) {
  const response = await fetch("/api/answer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ question }),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error.message);
  return reply;
}

async function ask(event) {
  event.preventDefault();
  if (at("send").disabled) return;
  at("error").hidden = true;
  at("send").disabled = true;
  at("status").textContent = "Reading …";
  at("result").classList.add("stale");
  try {
    show(await post(at("question").value));
  } catch (error) {
    const lost = error instanceof TypeError || error instanceof SyntaxError;
    at("error").textContent = lost ? "The server does not answer: is `raft serve` still running?" : error.message;
    at("error").hidden = false;
    at("result").hidden = true;
  } finally {
    at("status").textContent = "";
    at("send").disabled = false;
    at("result").classList.remove("stale");
  }
}

at("ask").addEventListener("submit", ask);
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("ask").requestSubmit();
  }
});
fetch("/health")
  .then((response) => response.json())
  .then((health) => {
    at("model").textContent = `model ${health.model}`;
  })
  .catch(() => {
    at("model").textContent = "no connection";
  });
