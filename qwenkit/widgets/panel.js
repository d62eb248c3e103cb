// What one sees of a voice session, and what a click does. It only draws what `Line` (voice.js) and the model know.
// What a model or a person said enters by textContent.

const MIC = "M12 15a3.5 3.5 0 0 0 3.5-3.5v-6a3.5 3.5 0 0 0-7 0v6A3.5 3.5 0 0 0 12 15m6.2-3.5a6.2 6.2 0 0 1-12.4 0H4a8 8 0 0 0 7.1 7.9V23h1.8v-3.6a8 8 0 0 0 7.1-7.9z";
const UNSEEN_MS = 5000; // a microphone that nobody sees any more does not listen on
const FOR_ALL = /^[bd-ln-uw[\],.']$/i; // with Ctrl or Cmd: of the whole window, not of a cell or of a text field
const STROKE = "M3 4.3 4.3 3 21 19.7 19.7 21z";

/** An element; `props` are properties, or attributes when their name has a dash or is "role". */
function h(name, props = {}, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key.includes("-") || key === "role") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...inside);
  return node;
}

function icon(...paths) {
  const make = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const svg = make("svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const path of paths) svg.appendChild(make("path")).setAttribute("d", path);
  return svg;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text; // a screen reader hears only what changed
  node.hidden = !text;
}

/** Change what a box holds; who reads its end goes on doing so. */
function grow(node, change) {
  const stays = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
  change();
  if (stays) node.scrollTop = node.scrollHeight;
}

const seconds = (ms) => `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)}\u00a0s`;

/** One turn: what you said, the tools at work, the answer, and how long each step took. */
class Exchange {
  constructor() {
    [this.you, this.it] = ["qkv-you", "qkv-it"].map((className) => h("p", { className }));
    [this.tools, this.steps] = ["qkv-tools", "qkv-steps"].map((className) => h("div", { className }));
    this.foot = h("small");
    this.node = h("li", {}, this.you, this.tools, this.it, h("div", { className: "qkv-foot" }, this.steps, this.foot));
  }

  show({ user, spoken, text, tools, ended, waits, played_ms, error }) {
    const shown = JSON.stringify([user, text, tools, ended, waits, played_ms, error]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.node.setAttribute("aria-busy", !ended); // it is read out when it is whole
    say(this.you, user || (spoken ? "…" : ""));
    say(this.it, text + (text && !ended ? " ▍" : ""));
    const runs = tools.map(({ name, given, told }) => `${name}(${given})${told ? ` → ${told}` : " …"}`);
    this.tools.replaceChildren(...runs.map((textContent) => h("code", { textContent })));
    const names = ["to first text", "to first sound", "to your ear"];
    const known = waits.flatMap((at, index) => (at === null ? [] : [{ at, title: `${names[index]} ${at} ms` }]));
    const bars = known.map(({ at, title }, index) => ({ title, part: at - (known[index - 1]?.at ?? 0) }));
    this.steps.replaceChildren(...bars.map(({ title }) => h("i", { title })));
    bars.forEach(({ part }, index) => (this.steps.children[index].style.width = `${part / 10}%`)); // all of it: 1 s
    const cut = ["interrupted", "cancelled"].includes(ended) && played_ms ? `${ended} after ${seconds(played_ms)}` : ended;
    const facts = [known.map(({ title }) => title).join(" · "), cut === "completed" ? "" : cut, error];
    say(this.foot, facts.filter(Boolean).join(" — "));
  }
}

/** What the panel says of itself, in smaller letters what one can do, and what a click on the button does. */
function words(line) {
  const { state, model, ear, muted } = line;
  const named = ["source", "problem", "hands_free", "now", "about", "playing"];
  const [source, problem, free, turn, about, playing] = named.map((name) => model.get(name));
  if (state === "gone") return ["The kernel is gone", "Run the cell again for a new session."];
  if (state === "connecting") return ["Connecting …", ""];
  if (state === "failed") return ["It did not work", "Change the cell and run it again, or click to try again.", "Try again"];
  if (state === "ended") return ["The session has ended", problem || "A cell that shows it once more shows its record."];
  if (ear && !ear.stream) return ["Allow the microphone", "The browser asks whether this page may use it."];
  if (state !== "live" && source) return [`Click to play ${source}`, "It is sent in place of a microphone.", "Play"];
  if (state !== "live") return ["Click to talk", "Without a microphone: type below, or send a sound file.", "Talk"];
  if (!line.mine) return ["In another window", "Sound and microphone are there. Click to bring them here.", "Bring here"];
  if (line.stuck >= 3) return ["The kernel is busy", `It has taken no sound for ${line.stuck} s.`];
  if (line.sending) return [`Sending ${line.sending[0]}`, line.sending[1], "Stop the file"];
  if (playing) return [`Playing ${playing}`, "Click to stop it.", "Stop the file"];
  if (ear?.context?.state === "suspended") return ["Click to go on", "The browser lets sound begin with a click.", "Go on"];
  const does = source ? "Nothing to do" : !ear ? "Talk" : !free ? "Hold to talk" : muted ? "Unmute" : "Mute";
  const mute = ear && free && muted;
  if (line.levels.out) {
    if (mute) return ["Speaking · you are muted", "Click to be heard again.", does];
    return ["Speaking", !ear ? about : free ? "Talk to interrupt. Click to mute." : "Hold to interrupt.", does];
  }
  if (turn.asked && !turn.ended) return ["Thinking …", mute ? "You are muted." : about, does];
  if (source) return ["Listening", `to ${source}`, does];
  if (!ear && !line.lacks.ear) return ["Click to talk", "or type below, or send a sound file", does];
  if (!ear) return ["Ready", "Type below, or send a sound file.", does];
  if (!free) return line.held ? ["Listening", "Let go when you are done.", does] : ["Hold to talk", "or hold the space bar", does];
  return mute ? ["Muted", "Click to be heard again.", does] : ["Listening", "Just talk. Click to mute.", does];
}

function notes(line) {
  const lost = line.dropped && `${seconds(40 * line.dropped)} of your sound were dropped while the kernel was busy.`;
  const [problem, { ear, eye, file }] = [line.state !== "ended" && line.model.get("problem"), line.lacks];
  const silent = ear && `No microphone: ${ear}. You can still type, or send a sound file.`;
  const off = line.ear?.off && "Your microphone is silent: its switch, or the system, has turned it off.";
  const blind = eye ? `No picture: ${eye}.` : line.eye?.off && "Your camera shows nothing: something has covered it.";
  const all = line.over ? [] : [silent, off, blind, file && `${file}.`];
  return [...all, lost, problem].filter(Boolean).join(" ");
}

function render({ model, el }) {
  const line = lines.get(model.get("key"));
  const div = (className, ...inside) => h("div", { className }, ...inside);
  const button = (textContent, title, onclick, className = "qkv-quiet") =>
    h("button", { type: "button", className, textContent, title, "aria-label": title, onclick });
  const choose = (hands_free) => hands_free !== model.get("hands_free") && line.send({ kind: "mode", hands_free });
  const main = button("", "Talk", press, "qkv-main");
  const [status, hint] = [h("strong", { role: "status" }), h("small")];
  const free = button("Hands-free", "It hears when you are done", () => choose(true));
  const push = button("Hold", "Hold the button, or the space bar, while you talk", () => choose(false));
  const mode = h("span", { className: "qkv-pair", role: "group", "aria-label": "How to talk" }, free, push);
  const device = h("select", { "aria-label": "Microphone", onchange: () => line.listen(device.value) });
  const film = button("Camera", "Show it what your camera sees", () => line.film());
  const stop = button("End", "End the session", () => line.send({ kind: "stop" }));
  const note = h("p", { className: "qkv-note", role: "alert" });
  const talk = h("ol", { className: "qkv-talk", role: "log", "aria-live": "polite", "aria-label": "What was said" });
  const typed = h("input", { type: "text", placeholder: "… or type", "aria-label": "Type what you want to say" });
  const file = h("input", { type: "file", accept: "audio/*", hidden: true, onchange: take });
  const attach = button("Sound file", "Send a sound file as if you spoke it", () => file.click());
  const type = div("qkv-type", typed, button("Send", "Send what you typed", write), attach, file);
  const filter = h("input", { type: "search", placeholder: "filter", "aria-label": "Filter the events" });
  const events = h("pre", { tabIndex: 0, "aria-label": "Events" });
  const log = h("details", { className: "qkv-log" }, h("summary", { textContent: "Events" }), filter, events);
  const bars = { in: h("b"), out: h("b") };
  const meter = { role: "meter", "aria-valuemin": 0, "aria-valuemax": 100 };
  const level = (textContent, title, bar) =>
    h("span", { title }, h("small", { textContent }), h("i", { ...meter, "aria-label": title }, bar));
  const you = level("you", "How loud your microphone is", bars.in);
  const it = level("it", "How loud the answer is", bars.out);
  const meters = h("div", { className: "qkv-meters" }, you, it);
  const top = h("header", {}, main, div("qkv-words", status, hint, meters), stop);
  const picture = h("video", { className: "qkv-picture", muted: true, autoplay: true, playsInline: true });
  const side = div("qkv-side", mode, film, device, picture);
  const root = h("section", { className: "qkv", "aria-label": "Voice session", tabIndex: -1 }, top, note, talk, type, side, log);
  const shown = new Map(); // number of a turn -> Exchange

  function press() {
    if (main.ariaDisabled === "true") return;
    const idle = !line.ear && !model.get("source") && !model.get("playing") && !line.sending;
    if (!line.live || !line.mine || idle) return void line.start();
    line.ear?.context?.resume();
    if (line.sending || model.get("playing")) return void line.hush();
    if (model.get("hands_free")) line.keep("muted", !line.muted);
  }

  function write() {
    if (typed.value.trim()) line.write(typed.value.trim());
    typed.value = "";
  }

  typed.onkeydown = ({ key, isComposing }) => void (key === "Enter" && !isComposing && write()); // false would eat keys
  function take() {
    if (file.files[0]) line.attach(file.files[0]);
    file.value = "";
  }

  const hold = (held) => void (!model.get("hands_free") && line.hold(held));
  main.onpointerdown = () => hold(true);
  for (const over of ["onpointerup", "onpointerleave", "onpointercancel", "onblur"]) main[over] = () => hold(false);
  const space = (event) => {
    const { ctrlKey, metaKey, key } = event;
    if ((ctrlKey || metaKey) && FOR_ALL.test(key)) return;
    event.stopPropagation(); // d d is for the notebook to delete a cell
    if (event.key === "Escape") root.closest(".jp-Cell")?.focus();
    if (event.key !== " " || model.get("hands_free") || ![main, root].includes(event.target)) return;
    event.preventDefault();
    hold(event.type === "keydown");
  };
  root.onkeydown = root.onkeyup = space;

  function turns() {
    const all = [...model.get("past"), model.get("now")].filter(({ n }) => n);
    for (const turn of all) {
      if (!shown.has(turn.n)) shown.set(turn.n, new Exchange());
      if (!shown.get(turn.n).node.parentNode) talk.append(shown.get(turn.n).node);
      shown.get(turn.n).show(turn);
    }
    for (const [n, { node }] of shown) if (!all.some((turn) => turn.n === n)) node.remove();
    talk.hidden = !all.length;
  }

  function draw() {
    const { live, ear, levels, muted, devices = [] } = line;
    const [held, [state, more, does = state]] = [!model.get("hands_free"), words(line)];
    say(status, state);
    say(hint, more);
    say(note, notes(line));
    grow(talk, turns);
    root.dataset.state = live && levels.out ? "speaking" : line.state;
    main.ariaDisabled = ["gone", "connecting", "ended"].includes(line.state); // disabled would lose the focus
    main.setAttribute("aria-label", does);
    main.title = does;
    main.setAttribute("aria-pressed", held ? line.held : live && Boolean(ear) && !muted);
    if (main.children.length === 0 || main.dataset.muted !== String(muted)) {
      main.replaceChildren(muted ? icon(MIC, STROKE) : icon(MIC));
      main.dataset.muted = muted;
    }
    free.setAttribute("aria-pressed", !held);
    push.setAttribute("aria-pressed", held);
    film.setAttribute("aria-pressed", Boolean(line.eye));
    [stop.hidden, side.hidden] = [!live, !live || !line.mine];
    type.hidden = !["idle", "connecting", "live"].includes(line.state);
    film.hidden = !model.get("sees");
    const stream = line.eye?.stream ?? null;
    if (picture.srcObject !== stream) picture.srcObject = stream;
    picture.hidden = !stream;
    log.hidden = !live && !line.log.length;
    device.hidden = !ear || devices.length < 2;
    if (device.options.length !== devices.length) {
      const options = devices.map(({ label, deviceId }) => h("option", { value: deviceId, textContent: label }));
      device.replaceChildren(...options);
      if (line.device) device.value = line.device;
    }
    for (const side of ["in", "out"]) bars[side].parentNode.ariaValueNow = loud(levels[side]);
    if (root.contains(document.activeElement) && document.activeElement.closest("[hidden]")) root.focus();
    const wanted = (each) => each.toLowerCase().includes(filter.value.toLowerCase());
    if (log.open) grow(events, () => say(events, line.log.filter(wanted).join("\n") || "–"));
  }

  const view = Object.assign(() => draw(), { root, log, bars });
  filter.oninput = log.ontoggle = view;
  line.views.add(view);
  el.append(root);
  line.follow();
  return () => {
    line.views.delete(view);
    const unseen = () => lines.get(model.get("key")) === line && line.live && line.mine && !line.views.size;
    setTimeout(() => unseen() && line.send({ kind: "stop" }), UNSEEN_MS);
  };
}

const lines = new Map(); // key of a model -> its line

function initialize({ model }) {
  const line = new Line(model);
  lines.set(model.get("key"), line);
  return () => {
    lines.delete(model.get("key"));
    line.close();
  };
}

export default { initialize, render };
