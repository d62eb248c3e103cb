// What runs in the browser's audio thread: a microphone that speaks 16 kHz whatever the device does, and a player that
// leaves no gap. Both count samples; nothing here knows of widgets or kernels.

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** Band-limited samples at another rate, exact in time: output n stands at input n * from / to. */
class Resampler {
  constructor(from, to) {
    const shared = gcd(from, to);
    [this.phases, this.step] = [to / shared, from / shared];
    const cut = (0.46 * Math.min(from, to)) / from; // cycles per input sample
    const reach = Math.ceil(14 * Math.max(1, from / to));
    this.taps = 2 * reach;
    this.filters = Array.from({ length: this.phases }, (_, phase) => this.filter(phase / this.phases, cut, reach));
    this.past = new Float32Array(this.taps + 128);
    [this.base, this.phase] = [0, 0];
  }

  filter(offset, cut, reach) {
    const taps = Float32Array.from({ length: 2 * reach }, (_, tap) => {
      const at = tap - reach + 1 - offset;
      const sinc = at ? Math.sin(2 * Math.PI * cut * at) / (Math.PI * at) : 2 * cut;
      return sinc * (0.5 + 0.5 * Math.cos((Math.PI * at) / (reach + 1)));
    });
    const gain = taps.reduce((sum, tap) => sum + tap);
    return taps.map((tap) => tap / gain);
  }

  feed(block, put) {
    this.past.copyWithin(0, block.length);
    this.past.set(block, this.past.length - block.length);
    for (this.base -= block.length; this.base + this.taps <= this.past.length; ) {
      const filter = this.filters[this.phase];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += filter[tap] * this.past[this.base + tap];
      put(sum);
      this.phase += this.step;
      this.base += Math.floor(this.phase / this.phases);
      this.phase %= this.phases;
    }
  }
}

const SILENCE = new Float32Array(128);
const loudness = (block) => Math.sqrt(block.reduce((sum, each) => sum + each * each, 0) / block.length);

/** Pieces of 16-bit samples, each with its level; and the moment a voice begins, sooner than anybody far away knows. */
class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, size } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    [this.size, this.count, this.peak] = [size, 0, 0];
    [this.floor, this.loud] = [0.003, 0];
    this.piece = new Int16Array(size);
    this.port.onmessage = ({ data }) => (this.speaker = data);
  }

  process([[block = SILENCE]]) {
    this.listen(loudness(block));
    this.resampler.feed(block, (sample) => {
      this.piece[this.count++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      this.peak = Math.max(this.peak, Math.abs(sample));
      if (this.count === this.size) this.send();
    });
    return true;
  }

  send() {
    const pcm = this.piece.buffer;
    this.port.postMessage({ pcm, level: this.peak }, [pcm]);
    [this.piece, this.count, this.peak] = [new Int16Array(this.size), 0, 0];
  }

  listen(level) {
    this.floor = level < this.floor ? 0.9 * this.floor + 0.1 * level : Math.min(0.05, this.floor * 1.0005 + 1e-7);
    this.loud = level > Math.max(0.015, 5 * this.floor) ? this.loud + 1 : 0;
    if (this.loud === 1) this.began = Date.now();
    if (this.loud === 5) this.speaker?.postMessage(this.began);
  }
}

const HELD_S = 0.7; // a voice that the service does not confirm by then was none
const DEAF_S = 3; // and after it none is believed for so long, then twice as long: it may be an echo

/** Plays queued pieces sample by sample, reply after reply, and tells what was heard of each. */
class Speaker extends AudioWorkletProcessor {
  constructor({ processorOptions: { prime } }) {
    super();
    this.prime = prime; // samples: so long a reply waits before it begins, unless plenty of it is there
    Object.assign(this, { queue: [], queued: 0, at: 0, first: 0, running: false, reply: 0, played: 0, underruns: 0 });
    Object.assign(this, { gain: 1, target: 1, peak: 0, since: 0, heeds: true, until: 0, deaf: 0, doubt: DEAF_S });
    this.port.onmessage = ({ data }) => this[data.act](data);
  }

  /** Whether a voice at this microphone silences the reply. */
  heed({ on, microphone }) {
    this.heeds = on;
    if (microphone) microphone.onmessage = ({ data }) => this.hush(data);
  }

  /** A voice begins: silent at once; the service says whether it was one. If not, it goes on where it stopped. */
  hush(onset) {
    if (!this.running || !this.heeds || !this.target || currentFrame < this.deaf) return;
    [this.target, this.until, this.onset] = [0, currentFrame + HELD_S * sampleRate, onset];
  }

  get hushed() {
    return !this.target && !this.gain;
  }

  /** Some more sound of a reply; a piece without sound is its end. */
  play({ reply, sound }) {
    if (!this.queue.length) this.first = currentFrame;
    this.queue.push({ reply, sound });
    this.queued += sound?.length ?? 0;
  }

  flush() {
    const [dropped, first] = [this.queued, this.queue[0]];
    if (first && first.reply !== this.reply) [this.reply, this.played] = [first.reply, 0];
    [this.queue, this.queued, this.at, this.running] = [[], 0, 0, false];
    [this.gain, this.target, this.deaf, this.doubt] = [1, 1, 0, DEAF_S];
    if (first) this.tell("flushed", { dropped });
    this.played = 0;
  }

  tell(what, more = {}) {
    const { reply, played, underruns } = this;
    this.port.postMessage({ what, reply, played, underruns, at: Date.now(), ...more });
  }

  process(_, [[out]]) {
    if (!this.running && this.queue.length && this.ready) this.begin();
    if (this.hushed && currentFrame >= this.until) {
      [this.target, this.deaf, this.doubt] = [1, currentFrame + this.doubt * sampleRate, 2 * this.doubt];
    }
    for (let index = 0; index < out.length && this.running && !this.hushed; ) {
      const head = this.queue[0];
      if (!head) this.starve();
      else if (head.reply !== this.reply) this.begin();
      else if (!head.sound || this.at === head.sound.length) this.turnPage(head);
      else out[index++] = this.next(head.sound);
    }
    if (this.since >= sampleRate / 20) {
      this.tell("level", { level: this.peak });
      [this.peak, this.since] = [0, 0];
    }
    return true;
  }

  /** Whether what is there bridges a late piece: sound that comes as fast as it is played, or faster. */
  get ready() {
    const whole = this.queue.some(({ sound }) => !sound);
    return whole || this.queued >= 2 * this.prime || currentFrame - this.first >= this.prime;
  }

  next(sound) {
    const sample = sound[this.at++];
    this.played++;
    this.queued--;
    this.since++;
    this.peak = Math.max(this.peak, Math.abs(sample));
    if (this.gain !== this.target) {
      const step = 100 / sampleRate; // ten milliseconds from full to nothing
      this.gain += Math.max(-step, Math.min(step, this.target - this.gain));
      if (this.hushed) this.tell("hushed", { onset: this.onset });
    }
    return sample * this.gain;
  }

  begin() {
    this.running = true;
    const { reply } = this.queue[0];
    if (reply === this.reply && this.played) return; // it goes on after a gap
    if (this.played) this.tell("ended");
    [this.reply, this.played] = [reply, 0];
    this.tell("playing");
  }

  starve() {
    this.running = false;
    this.underruns++;
    this.prime = Math.min(sampleRate / 2, 2 * this.prime); // this connection needs more
    this.tell("underrun");
  }

  turnPage({ sound }) {
    this.queue.shift();
    this.at = 0;
    if (sound) return;
    this.tell("ended");
    [this.running, this.played] = [false, 0];
  }
}

registerProcessor("qwenkit-microphone", Microphone);
registerProcessor("qwenkit-speaker", Speaker);
