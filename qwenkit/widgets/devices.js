// Microphone, loudspeaker and camera of a page, for voice.js. (WORKLETS, which is worklets.js, stands before this.)

const PIECE = 640; // samples at 16 kHz: 40 ms
const FRAME_MS = 1000;
const WHY = {
  NotAllowedError: "the browser was not allowed to use it: allow the microphone for this page (the icon beside its address)",
  NotFoundError: "there is no such device",
  NotReadableError: "another program holds it",
  AbortError: "this page does not let sound be handled here (its security policy forbids blob scripts)",
};

function why({ name, message }) {
  if (!globalThis.isSecureContext) return "this page is not secure: browsers give it only to https:// or to localhost";
  const editor = location.protocol.startsWith("vscode");
  return editor ? "this editor gives it to no notebook: open it in JupyterLab (qwenkit lab)" : (WHY[name] ?? (message || name));
}

async function worklet(context, name, processorOptions) {
  const url = URL.createObjectURL(new Blob([WORKLETS], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url).finally(() => URL.revokeObjectURL(url));
  return new AudioWorkletNode(context, name, { channelCount: 1, processorOptions });
}

const loud = (level) => Math.min(100, Math.round(100 * level ** 0.7));
const end = (stream) => stream?.getTracks().forEach((track) => track.stop());

/** A device of the page. It may be closed while the browser still asks for it: then it never begins. */
class Device {
  async take(wanted, over) {
    if (!navigator.mediaDevices || !globalThis.AudioWorkletNode) throw new Error("this page has none");
    this.stream = await navigator.mediaDevices.getUserMedia(wanted);
    for (const track of this.stream.getTracks()) track.onended = () => over({ message: "it is gone" }); // unplugged
    if (!this.closed) return;
    end(this.stream);
    throw new Error("it was closed");
  }

  /** Whether the system, or a switch of its own, has silenced or covered it. */
  get off() {
    return Boolean(this.stream?.getTracks().some(({ muted }) => muted));
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    end(this.stream);
    this.context?.close();
  }
}

/** The microphone, as pieces of 16 kHz sound. */
class Ear extends Device {
  async open(device, hear, over) {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    if (device) audio.deviceId = { exact: device };
    await this.take({ audio }, over);
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.node = await worklet(this.context, "qwenkit-microphone", { rate: 16_000, size: PIECE });
    this.node.port.onmessage = ({ data }) => hear(data);
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    this.context.resume();
  }

  set muted(silent) {
    for (const track of this.stream?.getTracks() ?? []) track.enabled = !silent;
  }
}

/** The loudspeaker: the worklet, or on a page that allows none a queue that only knows when it begins. */
class Mouth {
  constructor(rate, tell) {
    [this.rate, this.tell, this.early] = [rate, tell, []];
    this.open().catch(() => (this.plain = new Queue(rate)));
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
class Eye extends Device {
  async open(see, over) {
    await this.take({ video: { width: { ideal: 1280 } } }, over);
    this.video = h("video", { srcObject: this.stream, muted: true, playsInline: true });
    this.show = async () => {
      const picture = await this.frame();
      if (picture && !this.closed) see(picture);
    };
    this.timer = setInterval(this.show, FRAME_MS);
    await this.video.play();
  }

  /** What it sees now; nothing while it begins. */
  async frame() {
    const { videoWidth, videoHeight } = this.video ?? {};
    if (!videoWidth) return undefined;
    const scale = Math.min(1, 720 / videoHeight);
    const canvas = h("canvas", { width: videoWidth * scale, height: videoHeight * scale });
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.7));
    return picture?.arrayBuffer();
  }
}
