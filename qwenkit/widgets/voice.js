// A voice session in the page: microphone, loudspeaker, and the line to the session, which lives in the kernel.
//
// `Line` belongs to the model: two views of it are one microphone. The state that outlives this page (who holds the
// microphone, what was said, how the session is) is in the model; sound goes past it as messages, numbered, so that the
// kernel can tell that none is missing. (sound.js and devices.js stand before this.)

const IN_FLIGHT = 75; // pieces the kernel has not answered: 3 s
const LATE = 15; // from here on they go ten at a time
const BATCH = 10;
const WAITING = 250; // and behind them the last 10 s
const FILE_BYTES = 20_000_000;
const PART = 250_000; // of a file: sound goes in between, and notebook servers close a line for 10 MB at once
const LINES = 4000; // of the event log
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
/** The same after a reload. While a page lives the browser's copy is gone: a duplicate of the tab is another page. */
const PAGE = (globalThis.qwenkitPage ??= (() => {
  const fresh = Math.random().toString(36).slice(2);
  try {
    const before = sessionStorage.qwenkitPage;
    delete sessionStorage.qwenkitPage;
    addEventListener("pagehide", () => (sessionStorage.qwenkitPage = globalThis.qwenkitPage));
    return before ?? fresh;
  } catch {
    return fresh;
  }
})());

class Line {
  constructor(model) {
    Object.assign(this, { model, views: new Set(), waiting: [], log: [], levels: { in: 0, out: 0 }, gone: false });
    Object.assign(this, { number: 0, answered: 0, dropped: 0, underruns: 0, flushed: 0, known: 0 });
    this.held = false;
    this.lacks = { ear: "", eye: "", file: "" }; // why there is none
    this.sent = new Map(); // number of a piece -> when
    this.figures = { trips: [], flushes: [], hush: {} }; // of this page, for whoever measures
    this.onLife = () => setTimeout(() => this.checkLife());
    this.onStatus = (_, status) => this.checkLife(status); // now: a moment later it is another one
    this.heard_of = {
      "msg:custom": (content, buffers = []) => {
        if ((content.page ?? PAGE) === PAGE) this[`on_${content.kind}`]?.(content, buffers); // every page gets it
      },
      change: () => this.follow(),
      comm_live_update: this.onLife,
    };
    for (const [event, act] of Object.entries(this.heard_of)) model.on(event, act);
    this.kernel = model.widget_manager?.kernel;
    this.kernel?.statusChanged?.connect(this.onStatus);
    this.onDevices = () => this.ear && this.list();
    navigator.mediaDevices?.addEventListener("devicechange", this.onDevices);
    this.clock = setInterval(() => this.look(), 500);
    this.send({ kind: "hello" }); // the first message of a widget is handled apart: it must not be sound
    this.follow();
    globalThis.qwenkitVoice = this;
  }

  get state() {
    return this.gone ? "gone" : this.model.get("state");
  }

  get live() {
    return this.state === "live";
  }

  get over() {
    return ["ended", "failed", "gone"].includes(this.state);
  }

  get listens() {
    return this.live && (this.model.get("hands_free") || this.held);
  }

  get muted() {
    return this.model.get("hands_free") && this.model.get("muted"); // also after a reload
  }

  get mine() {
    return this.model.get("owner") === PAGE;
  }

  send(content, ...buffers) {
    if (!this.gone) this.model.send({ page: PAGE, ...content }, undefined, buffers);
  }

  keep(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  draw() {
    for (const view of this.views) view();
  }

  /** What changed in the kernel, or was so when this page was loaded. */
  follow() {
    const owner = this.model.get("owner");
    if (this.ear?.stream) this.ear.muted = this.muted;
    if (this.over || (owner && !this.mine)) this.release();
    else if (!this.views.size) return; // a microphone that nobody sees stays off
    else if (this.live && !owner) this.claim();
    else if (this.live && this.model.get("listening") && !this.ear && !this.lacks.ear) this.listen();
    this.mouth?.do({ act: "heed", on: this.model.get("hands_free") });
    this.draw();
  }

  claim() {
    this.keep("owner", PAGE);
    this.open();
  }

  open() {
    this.mouth ??= new Mouth(this.model.get("rate_hz"), (told) => this.told(told));
    return this.mouth;
  }

  async start() {
    this.claim();
    if (!this.model.get("source")) await this.listen();
    if (!this.live) this.send({ kind: "start" });
  }

  async listen(device = this.device) {
    this.ear?.close();
    const ear = (this.ear = new Ear());
    this.lacks.ear = "";
    this.draw();
    try {
      await ear.open(device, (heard) => this.heard(heard), (error) => this.lose("ear", ear, error));
      if (this.ear !== ear) return; // it was closed meanwhile
      [this.device, ear.muted] = [device, this.muted];
      this.open().follow(ear, this.model.get("hands_free"));
      await this.list();
      this.keep("listening", true); // so that a page that is loaded again goes on
    } catch (error) {
      this.lose("ear", ear, error);
    }
    if (this.gone || !this.mine) this.release();
    this.draw();
  }

  async list() {
    this.devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "audioinput");
  }

  /** A microphone or a camera that could not be had, or is there no more. */
  lose(part, device, error) {
    device.close();
    if (this[part] !== device) return;
    [this[part], this.lacks[part]] = [null, why(error)];
    if (part === "ear") this.device = ""; // the next time whichever there is
    this.draw();
  }

  release() {
    for (const part of ["ear", "eye", "mouth"]) this[part]?.close();
    Object.assign(this, { ear: null, eye: null, mouth: null, waiting: [] });
    for (const side of ["in", "out"]) this.meter(side, 0);
    this.sent.clear();
    this.answered = this.number;
  }

  /** A piece from the microphone. What the kernel cannot take yet waits here; when it is too much, the oldest goes. */
  heard({ pcm, level }) {
    this.meter("in", level);
    if (this.listens) this.waiting.push(pcm);
    if (this.waiting.length > WAITING) this.dropped += this.waiting.splice(0, this.waiting.length - WAITING).length;
    const batch = this.number - this.answered > LATE ? BATCH : 1; // a kernel that lags gets fewer messages
    while (this.waiting.length >= batch && this.number - this.answered < IN_FLIGHT) {
      const pieces = this.waiting.splice(0, batch);
      this.send({ kind: "mic", number: this.number }, ...pieces);
      this.number += pieces.length;
      this.sent.set(this.number - 1, performance.now());
    }
  }

  on_ack({ number }) {
    const { trips } = this.figures;
    if (this.sent.has(number)) trips.push(performance.now() - this.sent.get(number));
    trips.splice(0, trips.length - 5000);
    for (const each of this.sent.keys()) if (each <= number) this.sent.delete(each);
    this.answered = number + 1;
  }

  on_audio({ reply, last }, [sound]) {
    if (!this.mine || reply <= this.flushed) return;
    if (sound?.byteLength) this.open().do({ act: "play", reply, sound: samples(sound) });
    if (last) this.open().do({ act: "play", reply });
  }

  on_flush({ reply }) {
    this.flushed = reply;
    this.mouth?.do({ act: "flush" });
  }

  told({ what, reply, played = 0, level, at, underruns = 0, dropped, onset }) {
    const { figures } = this;
    this.underruns = underruns;
    this.meter("out", what === "level" ? level : what === "playing" ? 0.01 : 0);
    if (what === "hushed") figures.hush = { onset, hushed: at };
    if (what === "flushed") figures.flushes.push({ ...figures.hush, flushed: at, dropped });
    if (what === "flushed") figures.hush = {};
    const ms = Math.round((1000 * played) / this.model.get("rate_hz"));
    if (["playing", "ended", "flushed"].includes(what)) this.send({ kind: what, reply, ms });
  }

  meter(side, level) {
    const began = !this.levels[side] !== !level;
    this.levels[side] = level;
    for (const { bars } of this.views) bars[side].style.width = `${loud(level)}%`;
    if (side === "out" && began) this.draw();
  }

  on_log({ lines, next }) {
    if (next === this.known) return; // asked for twice
    [this.known, this.log] = [next, [...this.log, ...lines].slice(-LINES)];
    this.draw();
  }

  hold(held) {
    if (held === this.held || !this.live || (held && !this.ear)) return;
    this.held = held;
    this.sending = null;
    this.send({ kind: "talk", on: held });
    if (held) this.eye?.show?.();
    this.draw();
  }

  hush() {
    this.sending = null;
    this.send({ kind: "hush" });
  }

  async write(text) {
    this.lacks.file = "";
    this.sending = null; // as the kernel does, who types or speaks goes first
    const picture = await this.eye?.frame();
    this.send({ kind: "text", text }, ...(picture ? [picture] : []));
  }

  async film() {
    const was = this.eye;
    was?.close();
    const eye = (this.eye = was ? null : new Eye());
    this.lacks.eye = "";
    this.draw();
    const over = (error) => this.lose("eye", eye, error);
    await eye?.open((picture) => this.listens && this.send({ kind: "frame" }, picture), over).catch(over);
    this.draw();
  }

  async attach(file) {
    const { name, size } = file;
    this.lacks.file = size > FILE_BYTES ? `${name} is larger than ${FILE_BYTES / 1e6} MB` : "";
    if (this.sending) this.lacks.file = `${this.sending[0]} is still being sent`;
    if (this.lacks.file) return;
    const sending = (this.sending = [name, ""]);
    for (let at = 0; (at < size || !at) && this.sending === sending && !this.over; at += PART) {
      const [part, more] = [await file.slice(at, at + PART).arrayBuffer(), at + PART < size];
      sending[1] = more ? `${megabytes(at)} of ${megabytes(size)} MB. Click to stop.` : "It is being read.";
      this.draw();
      const taken = new Promise((done) => (this.on_taken = done)); // sound goes between the parts
      this.send({ kind: "file", name, at, more }, part);
      await taken;
    }
    if (this.sending === sending) this.sending = null;
    this.draw();
  }

  checkLife(status = this.kernel?.status) {
    if (this.gone) return;
    const cut = [...this.views].some(({ root }) => root.closest(".jupyter-widgets-disconnected"));
    if (!cut && !/restarting|dead|terminating/.test(status)) return;
    this.release();
    this.gone = true;
    this.draw();
  }

  /** Twice a second: who waits for the kernel is told so, who reads the events gets the new ones. */
  look() {
    const [oldest] = this.sent.values();
    this.stuck = oldest ? Math.floor((performance.now() - oldest) / 1000) : 0;
    if ([...this.views].some(({ log }) => log.open)) this.send({ kind: "log", from: this.known });
    this.checkLife();
    this.draw();
  }

  close() {
    this.release();
    clearInterval(this.clock);
    navigator.mediaDevices?.removeEventListener("devicechange", this.onDevices);
    for (const [event, act] of Object.entries(this.heard_of)) this.model.off(event, act);
    this.kernel?.statusChanged?.disconnect(this.onStatus);
  }
}
