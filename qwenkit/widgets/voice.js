// A voice session in the page: microphone, loudspeaker, and the line to the session, which lives in the kernel.
//
// `Line` belongs to the model: two views of it are one microphone. The state that outlives this page (who holds the
// microphone, what was said, how the session is) is in the model; sound goes past it as messages, numbered, so that the
// kernel can tell that none is missing. (sound.js and WORKLETS, which is worklets.js, stand before this.)

const PIECE = 640; // samples at 16 kHz: 40 ms
const IN_FLIGHT = 75; // pieces the kernel has not answered: 3 s
const LATE = 15; // from here on they go ten at a time
const BATCH = 10;
const WAITING = 250; // and behind them the last 10 s
const FRAME_MS = 1000;
const FILE_BYTES = 20_000_000;
const LINES = 4000; // of the event log
const PAGE = (() => {
  const fresh = Math.random().toString(36).slice(2);
  try {
    return (sessionStorage.qwenkitPage ??= fresh); // the same after a reload
  } catch {
    return fresh;
  }
})();
const WHY = {
  NotAllowedError: "the browser was not allowed to use it: allow the microphone for this page (the icon beside its address)",
  NotFoundError: "there is no such device",
  NotReadableError: "another program holds it",
  AbortError: "this page does not let sound be handled here (its security policy forbids blob scripts)",
};

function why({ name, message }) {
  if (!globalThis.isSecureContext) return "this page is not secure: browsers give it only to https:// or to localhost";
  const editor = location.protocol.startsWith("vscode");
  return editor ? "this editor gives it to no notebook: open it in JupyterLab (qwenkit lab)" : (WHY[name] ?? message);
}

async function worklet(context, name, processorOptions) {
  const url = URL.createObjectURL(new Blob([WORKLETS], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url).finally(() => URL.revokeObjectURL(url));
  return new AudioWorkletNode(context, name, { channelCount: 1, processorOptions });
}

const end = (stream) => stream?.getTracks().forEach((track) => track.stop());

/** The microphone, as pieces of 16 kHz sound. */
class Ear {
  async open(device, hear) {
    if (!navigator.mediaDevices || !globalThis.AudioWorkletNode) throw new Error("this page has none");
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    if (device) audio.deviceId = { exact: device };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.node = await worklet(this.context, "qwenkit-microphone", { rate: 16_000, size: PIECE });
    this.node.port.onmessage = ({ data }) => hear(data);
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    this.context.resume();
  }

  set muted(silent) {
    for (const track of this.stream.getTracks()) track.enabled = !silent;
  }

  close() {
    end(this.stream);
    this.context?.close();
  }
}

/** The loudspeaker: the worklet, or on a page that allows none a queue that only knows when it begins. */
class Mouth {
  constructor(rate, tell) {
    [this.rate, this.tell, this.early] = [rate, tell, []];
    if (globalThis.AudioWorkletNode) this.open().catch(() => (this.plain = new Queue(rate)));
    else this.plain = new Queue(rate);
  }

  async open() {
    this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    const node = await worklet(this.context, "qwenkit-speaker", { prime: Math.round(0.2 * this.rate) });
    node.port.onmessage = ({ data }) => this.tell(data);
    node.connect(this.context.destination);
    for (const order of this.early) node.port.postMessage(...order);
    this.node = node;
  }

  do(order, ...moved) {
    if (this.plain) this.simply(order);
    else if (this.node) this.node.port.postMessage(order, moved);
    else this.early.push([order, moved]);
    if (this.context?.state === "suspended") this.context.resume();
  }

  /** From one audio thread to the other: a voice silences the reply, however busy the page is. */
  follow(ear, on) {
    const { port1, port2 } = new MessageChannel();
    ear.node.port.postMessage(port1, [port1]);
    this.do({ act: "heed", on, microphone: port2 }, port2);
  }

  simply({ act, reply, sound }) {
    if (act === "flush") this.plain.stop();
    else if (sound) this.plain.play(sound);
    if (sound && reply !== this.reply) this.tell({ what: "playing", reply: (this.reply = reply) });
  }

  close() {
    this.plain?.close();
    this.context?.close();
  }
}

/** The camera, as one small JPEG a second. */
class Eye {
  async open(see) {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
    this.video = h("video", { srcObject: this.stream, muted: true, playsInline: true });
    await this.video.play();
    this.timer = setInterval(async () => see(await this.frame()), FRAME_MS);
  }

  async frame() {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, 720 / videoHeight);
    const canvas = h("canvas", { width: videoWidth * scale, height: videoHeight * scale });
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.7));
    return picture.arrayBuffer();
  }

  close() {
    clearInterval(this.timer);
    end(this.stream);
  }
}

class Line {
  constructor(model) {
    Object.assign(this, { model, views: new Set(), waiting: [], log: [], levels: { in: 0, out: 0 }, gone: false });
    Object.assign(this, { number: 0, answered: 0, dropped: 0, underruns: 0, flushed: 0, known: 0 });
    Object.assign(this, { muted: false, held: false });
    this.sent = new Map(); // number of a piece -> when
    this.figures = { trips: [], flushes: [], hush: {} }; // of this page, for whoever measures
    this.onLife = () => setTimeout(() => this.checkLife());
    this.onStatus = (_, status) => this.checkLife(status); // now: a moment later it is another one
    this.heard_of = {
      "msg:custom": (content, buffers = []) => this[`on_${content.kind}`]?.(content, buffers),
      change: () => this.follow(),
      comm_live_update: this.onLife,
    };
    for (const [event, act] of Object.entries(this.heard_of)) model.on(event, act);
    this.kernel = model.widget_manager?.kernel;
    this.kernel?.statusChanged?.connect(this.onStatus);
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

  get listens() {
    return this.live && (this.model.get("hands_free") || this.held);
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
    if (["ended", "failed"].includes(this.state) || (owner && !this.mine)) this.release();
    else if (this.live && !owner) this.claim();
    else if (this.live && this.model.get("listening") && !this.ear && !this.silent) this.listen();
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
    this.silent = "";
    this.claim();
    if (!this.model.get("source")) await this.listen();
    if (!this.live) this.send({ kind: "start" });
  }

  async listen(device = this.device) {
    this.ear?.close();
    const ear = (this.ear = new Ear());
    try {
      await ear.open(device, (heard) => this.heard(heard));
      if (this.ear !== ear) return ear.close(); // the session ended meanwhile
      [this.device, ear.muted] = [device, this.muted];
      this.open().follow(ear, this.model.get("hands_free"));
      this.devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "audioinput");
      this.keep("listening", true); // so that a page that is loaded again goes on
    } catch (error) {
      this.silent = why(error);
      ear.close();
      this.ear = null;
    }
    if (this.gone || !this.mine) this.release();
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
    for (const { bars } of this.views) bars[side].style.width = `${Math.min(100, 100 * level ** 0.7).toFixed()}%`;
    if (side === "out" && began) this.draw();
  }

  on_log({ lines, next }) {
    if (next === this.known) return; // asked for twice
    [this.known, this.log] = [next, [...this.log, ...lines].slice(-LINES)];
    this.draw();
  }

  hold(held) {
    if (held === this.held || !this.live || !this.ear) return;
    this.held = held;
    this.send({ kind: "talk", on: held });
    this.draw();
  }

  mute(muted) {
    this.muted = muted;
    if (this.ear) this.ear.muted = muted;
    this.draw();
  }

  async film() {
    const was = this.eye;
    was?.close();
    const eye = (this.eye = was ? null : new Eye());
    await eye?.open((picture) => this.listens && this.send({ kind: "frame" }, picture)).catch((error) => {
      [this.blind, this.eye] = [`No picture: ${why(error)}.`, null];
    });
    this.draw();
  }

  async attach(file) {
    this.blind = file.size > FILE_BYTES ? "That file is too large." : "";
    if (!this.blind) this.send({ kind: "file", name: file.name }, await file.arrayBuffer());
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
    for (const [event, act] of Object.entries(this.heard_of)) this.model.off(event, act);
    this.kernel?.statusChanged?.disconnect(this.onStatus);
  }
}
