// Sound that plays while it is being made. The kernel sends pieces of 16-bit samples as state, piece_0, piece_1, …:
// state waits for a page that is slow to load this file, where messages would be lost. The queue belongs to the model
// and not to its view, so that it plays on when the finished card takes the view's place in the output.
// (`Queue` and `samples` are in sound.js, which stands before this.)

function initialize({ model }) {
  const queue = new Queue(model.get("rate_hz"));
  let next = 0; // piece
  let stopped = false;
  const stop = () => {
    stopped = true;
    queue.stop();
  };
  const take = () => {
    if (model.get("hushed")) stop();
    for (let piece; (piece = model.get(`piece_${next}`)); next++) {
      const begin = stopped ? 0 : queue.play(samples(piece));
      globalThis.qwenkitPlayed = { queued: queue.queued, pieces: next + 1, gapless: begin > LEAD };
    }
  };
  model.on("change", take);
  document.addEventListener("play", stop, true); // another player begins: this one ends
  take();
  return () => {
    model.off("change", take);
    document.removeEventListener("play", stop, true);
    queue.close();
  };
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
