// What the widgets that play share: 16-bit samples as floats, and a queue that plays them one after the other wherever
// there is Web Audio, also on pages where the browser allows no worklet.

const LEAD = 0.08; // seconds between a piece's arrival and its sound, so that the next one comes in time

function samples(view) {
  const count = Math.floor(view.byteLength / 2);
  const sound = new Float32Array(count);
  for (let at = 0; at < count; at++) sound[at] = view.getInt16(2 * at, true) / 32768;
  return sound;
}

class Queue {
  constructor(rate) {
    this.rate = rate;
    this.end = 0; // on the context's clock
    this.queued = 0; // seconds
    this.playing = new Set();
  }

  play(sound) {
    if (!sound.length) return 0;
    this.context ??= new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    if (this.context.state === "suspended") this.context.resume(); // plays from the first click in the page on
    const buffer = this.context.createBuffer(1, sound.length, this.rate);
    buffer.copyToChannel(sound, 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    const begin = Math.max(this.end, this.context.currentTime + LEAD);
    source.start(begin);
    this.end = begin + buffer.duration;
    this.queued += buffer.duration;
    this.playing.add(source);
    source.onended = () => this.playing.delete(source);
    return begin;
  }

  /** Seconds that are still to be heard. */
  get left() {
    return this.context ? Math.max(0, this.end - this.context.currentTime) : 0;
  }

  stop() {
    for (const source of this.playing) source.stop();
    this.playing.clear();
    this.end = 0;
  }

  close() {
    this.stop();
    this.context?.close();
  }
}
