"use strict";
// All text goes in by textContent: a note cannot become part of the page.
const at = (id) => document.getElementById(id);
const state = { notes: [], number: null, note: null, chosen: [], evidence: [], coder: false };

function make(tag, text, name) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
}

function press(text, act) {
  const node = make("button", text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

async function ask(path, given) {
  const options = given === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) };
  const reply = await fetch("api/" + path, options);
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error);
  return value;
}

function say(text, bad) {
  at("said").textContent = text;
  at("said").className = bad ? "bad" : "good";
}

// Offsets are in characters as Python counts them; a JavaScript string counts some characters twice.
const long = (text) => Array.from(text).length;
const cut = (text, start, end) => Array.from(text).slice(start, end).join("");
const same = (one, two) => one.code_type === two.code_type && one.code === two.code;
const share = (value) => Number(value).toFixed(2);

async function list() {
  const found = await ask("notes");
  state.notes = found.notes;
  state.coder = found.coder;
  at("typed").hidden = !found.coder;
  if (!at("reason").options.length) {
    for (const reason of found.reasons) at("reason").add(new Option(reason.replaceAll("_", " "), reason));
  }
  const done = found.notes.filter((note) => note.verdict && note.verdict !== "noted").length;
  at("progress").textContent = found.notes.length ? `${done} of ${found.notes.length} decided, kept in ${found.output}` : "";
  at("notes").replaceChildren(...found.notes.map((note, number) => {
    const item = make("li", undefined, note.verdict || "");
    const button = press("", () => open(number));
    button.append(make("b", note.id), make("span", note.begin));
    button.setAttribute("aria-current", String(number === state.number));
    item.append(button);
    return item;
  }));
}

async function open(number) {
  if (number < 0 || number >= state.notes.length) return;
  state.number = number;
  at("empty").textContent = "The model reads the note ...";
  at("empty").hidden = false;
  at("note").hidden = true;
  try {
    const note = await ask(`notes/${number}`);
    if (state.number !== number) return;
    state.note = note;
  } catch (error) {
    at("empty").textContent = error.message;
    return;
  }
  const { answer, decision } = state.note;
  const kept = decision && decision.codes ? decision : null;
  state.chosen = kept ? kept.codes.map((code) => ({ ...code })) : ((answer && answer.codes) || []).map(bare);
  state.evidence = kept ? kept.evidence.map((one) => ({ ...one })) : quoted(answer);
  at("reason").value = (kept && kept.none_reason) || at("reason").options[0].value;
  at("remark").value = (decision && decision.remark) || "";
  at("name").textContent = state.note.id;
  at("words").value = "";
  at("hits").replaceChildren();
  document.querySelector("details").open = false;
  at("empty").hidden = true;
  at("note").hidden = false;
  say("");
  show();
  list();
}

const bare = (code) => ({ code_type: code.code_type, code: code.code, description: code.description });
const quoted = (answer) => ((answer && answer.codes) || []).flatMap((code) => code.evidence.map((one) => (
  { code_type: code.code_type, code: code.code, start: one.start, end: one.end })));

function row(code, where, ...acts) {
  const item = make("li");
  const name = make("code", code.code ? `${code.code_type} ${code.code}` : "no code");
  const side = make("span", undefined, "acts");
  side.append(...acts);
  item.append(name, make("span", code.code ? code.description || "" : ""), side);
  if (where) item.append(make("span", where, "where"));
  return item;
}

function places(code) {
  const found = state.evidence.filter((one) => same(one, code)).map((one) => `"${cut(state.note.narrative, one.start, one.end)}"`);
  return found.join(", ");
}

function show() {
  const { narrative, answer, decision } = state.note;
  const marks = [...state.evidence].sort((one, two) => one.start - two.start || one.end - two.end);
  const parts = [];
  let end = 0;
  for (const one of marks) {
    if (one.start < end) continue;
    parts.push(cut(narrative, end, one.start), make("mark", cut(narrative, one.start, one.end)));
    end = one.end;
  }
  at("narrative").replaceChildren(...parts, cut(narrative, end, long(narrative)));

  const failed = !answer || answer.status === "error";
  at("status").textContent = failed ? (answer ? answer.error : "no model here, and no answer in the file")
    : `${answer.status}, confidence ${share(answer.confidence)}`;
  at("answer").replaceChildren(...(failed ? [] : answer.codes.length
    ? answer.codes.map((code) => row(code, code.evidence.map((one) => `"${one.text}" (${one.source})`).join(", "), share(code.confidence)))
    : [row({ code: "" }, "")]));
  at("claims").replaceChildren(...(failed ? [] : answer.claims.map((claim) => {
    const item = make("li", claim.text.replace(/^- /, ""), claim.status.replace(" ", "-"));
    item.title = claim.status;
    if (claim.reason) item.append(make("small", claim.reason));
    return item;
  })));
  at("alternatives").replaceChildren(...(failed ? [] : answer.alternatives.map((code) => (
    row(code, "", share(code.probability), ...(code.code ? [press("add", () => add(code))] : []))))));
  at("findings").replaceChildren(...(failed ? [] : answer.findings.map((one) => make("li", `${one.severity}: ${one.text}`))));
  at("accept").disabled = failed;

  at("decided").textContent = decision ? decision.verdict : "";
  at("none").hidden = state.chosen.length > 0;
  at("chosen").replaceChildren(...state.chosen.map((code, place) => row(code, places(code),
    press("evidence", () => evidence(code)),
    ...(place ? [press("first", () => { state.chosen.splice(place, 1); state.chosen.unshift(code); show(); })] : []),
    press("remove", () => {
      state.chosen = state.chosen.filter((other) => !same(other, code));
      state.evidence = state.evidence.filter((one) => !same(one, code));
      show();
    }))));
}

function add(code) {
  if (!state.chosen.some((other) => same(other, code))) state.chosen.push(bare(code));
  at("words").value = "";
  at("hits").replaceChildren();
  show();
}

function evidence(code) {
  const picked = document.getSelection();
  const range = picked.rangeCount ? picked.getRangeAt(0) : null;
  if (!range || range.collapsed || !at("narrative").contains(range.commonAncestorContainer)) {
    say("Mark words in the note first.", true);
    return;
  }
  const before = document.createRange();
  before.selectNodeContents(at("narrative"));
  before.setEnd(range.startContainer, range.startOffset);
  const text = range.toString();
  const start = long(before.toString()) + long(text) - long(text.trimStart());
  const end = start + long(text.trim());
  if (start === end) return;
  if (!state.evidence.some((one) => same(one, code) && one.start === start && one.end === end)) {
    state.evidence.push({ code_type: code.code_type, code: code.code, start, end });
  }
  say("");
  show();
}

async function keep(verdict) {
  const accepted = verdict === "accepted";
  const { answer } = state.note;
  const given = { verdict, remark: at("remark").value, none_reason: at("reason").value,
    codes: accepted ? answer.codes.map(bare) : state.chosen, evidence: accepted ? quoted(answer) : state.evidence };
  try {
    state.note.decision = await ask(`notes/${state.number}`, given);
    if (verdict !== "noted") {
      const named = [...state.chosen, ...(answer && answer.codes ? answer.codes : [])];
      state.chosen = state.note.decision.codes.map((code) => ({ ...named.find((other) => same(other, code)), ...code }));
      state.evidence = state.note.decision.evidence.map((one) => ({ ...one }));
    }
    show();
    say("Saved.");
    list();
  } catch (error) {
    say(error.message, true);
  }
}

let waiting = 0;
async function find() {
  const turn = ++waiting;
  const words = at("words").value.trim();
  const hits = words.length < 2 ? [] : await ask("search", { words });
  if (turn !== waiting) return;
  at("hits").replaceChildren(...hits.map((code) => row(code, "", press("add", () => add(code)))));
}

at("typed").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { number } = await ask("notes", { narrative: at("text").value });
    at("text").value = "";
    await list();
    await open(number);
  } catch (error) {
    at("empty").textContent = error.message;
    at("empty").hidden = false;
  }
});
at("finder").addEventListener("submit", (event) => { event.preventDefault(); find(); });
at("words").addEventListener("input", find);
at("accept").addEventListener("click", () => keep("accepted"));
at("save").addEventListener("click", () => keep("corrected"));
at("note-only").addEventListener("click", () => keep("noted"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
  const act = { j: () => open((state.number ?? -1) + 1), k: () => open((state.number ?? 1) - 1),
    a: () => state.note && !at("accept").disabled && keep("accepted"), s: () => state.note && keep("corrected") }[event.key];
  if (act) { event.preventDefault(); act(); }
});
list().then(() => state.notes.length && open(0));
