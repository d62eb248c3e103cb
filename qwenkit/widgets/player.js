// Sound that plays while it is being made. The kernel sends pieces of 16-bit samples as state, piece_0, piece_1, …:
// state waits for a page that is slow to load this file, where messages would be lost. The queue belongs to the model
// and not to its view, so that it plays on when the finished card takes the view's place in the output.

const LEAD = 0.08; // seconds between a piece's arrival and its sound, so that the next one comes in time

function samples(view) {
  const count = Math.floor(view.byteLength / 2);
  const sound = new Float32Array(count);
  for (let at = 0; at < count; at++) sound[at] = view.getInt16(2 * at, true) / 32768;
  return sound;
}

class Queue {
  constructor(model) {
    this.model = model;
    this.next = 0; // piece
    this.end = 0; // on the context's clock
    this.queued = 0; // seconds
    this.stopped = false;
    this.playing = new Set();
    this.drain = () => this.take();
    this.hush = () => this.stop();
    model.on("change", this.drain);
    document.addEventListener("play", this.hush, true); // another player begins: this one ends
    this.take();
  }

  take() {
    if (this.model.get("hushed")) this.stop();
    for (let piece; (piece = this.model.get(`piece_${this.next}`)); this.next++) this.play(samples(piece));
  }

  play(sound) {
    if (this.stopped || !sound.length) return;
    const rate = this.model.get("rate_hz");
    this.context ??= new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    if (this.context.state === "suspended") this.context.resume(); // plays from the first click in the page on
    const buffer = this.context.createBuffer(1, sound.length, rate);
    buffer.copyToChannel(sound, 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    const begin = Math.max(this.end, this.context.currentTime + LEAD);
    source.start(begin);
    this.end = begin + buffer.duration;
    this.queued += buffer.duration;
    this.playing.add(source);
    source.onended = () => this.playing.delete(source);
    globalThis.qwenkitPlayed = { queued: this.queued, pieces: this.next + 1, gapless: begin > LEAD };
  }

  stop() {
    this.stopped = true;
    for (const source of this.playing) source.stop();
    this.playing.clear();
  }

  close() {
    this.stop();
    this.model.off("change", this.drain);
    document.removeEventListener("play", this.hush, true);
    this.context?.close();
  }
}

function initialize({ model }) {
  const queue = new Queue(model);
  return () => queue.close();
}

function render({ model, el }) {
  const card = document.createElement("div");
  const button = document.createElement("button");
  const draw = () => (card.innerHTML = model.get("card")); // our own markup: script-free, everything said is escaped
  button.textContent = "◼ stop the sound";
  button.onclick = () => model.set("hushed", true);
  el.append(card, button);
  model.on("change:card", draw);
  draw();
  return () => model.off("change:card", draw);
}

export default { initialize, render };
