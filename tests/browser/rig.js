// What the browser tests ask JupyterLab itself: its models, not its pixels. Injected into every page before any other script.
(() => {
  // Anything hostile that manages to run announces itself here.
  window.pwned = window.pwned ?? null;
  for (const name of ["alert", "confirm", "prompt", "print"]) {
    window[name] = () => { window.pwned = name; };
  }

  const panel = () => window.jupyterapp?.shell.currentWidget;
  const session = () => panel()?.context?.sessionContext;
  const codeCells = () => panel().content.widgets.filter((cell) => cell.model.type === "code");

  window.rig = {
    path: () => panel()?.context?.path,

    // The execution indicator says "idle" before the kernel's socket is up, and Run All is then swallowed silently.
    ready: (path) => {
      const kernel = session()?.session?.kernel;
      return panel()?.context?.path === path && panel().context.isReady && session().isReady
        && kernel?.connectionStatus === "connected" && kernel.status === "idle";
    },

    runAll: () => {
      window.rig.ran = null;
      window.jupyterapp.commands.execute("notebook:run-all-cells").then(async (good) => {
        await session().session.kernel.requestKernelInfo(); // the promise settles at the first error, even an expected one
        window.rig.ran = { good };
      });
    },

    // The command is over as soon as one cell fails, announced or not, while the cells behind it still run.
    finished: () => {
      const surprised = ({ model }) => !(model.getMetadata("tags") ?? []).includes("raises-exception")
        && model.outputs.toJSON().some((output) => output.output_type === "error");
      const waiting = ({ model }) => model.executionCount === null && model.sharedModel.getSource().trim();
      return window.rig.ran && session().session.kernel.status === "idle"
        && (!codeCells().some(waiting) || codeCells().some(surprised));
    },

    cells: () => codeCells().map((cell) => ({
      id: cell.model.id,
      source: cell.model.sharedModel.getSource(),
      tags: cell.model.getMetadata("tags") ?? [],
      count: cell.model.executionCount,
      outputs: cell.model.outputs.toJSON(),
      shown: cell.outputArea.node.innerText,
    })),

    // What the kernel prints when it runs this beside the cells.
    ask: async (code) => {
      const future = session().session.kernel.requestExecute({ code });
      let told = "";
      future.onIOPub = ({ content }) => { told += content.text ?? content.traceback?.join("\n") ?? ""; };
      await future.done;
      return told;
    },

    // Every distinct text the output area of one code cell shows while it changes.
    watch: (index) => {
      const node = codeCells()[index].outputArea.node;
      window.rig.seen = [];
      new MutationObserver(() => {
        const text = node.innerText;
        if (text !== window.rig.seen.at(-1)) window.rig.seen.push(text);
      }).observe(node, { childList: true, subtree: true, characterData: true });
    },

    // What in the outputs could still act: handlers, elements that load or run, links to anything but the web.
    alive: () => {
      const found = [];
      for (const node of document.querySelectorAll(".jp-OutputArea-output *")) {
        const name = node.localName;
        if (/^(script|iframe|object|embed|form|meta|base|link|audio|video|img)$/.test(name)) found.push(name);
        for (const { name: attribute, value } of node.attributes) {
          if (/^on/.test(attribute)) found.push(`${name} ${attribute}`);
          if (/href$/.test(attribute) && !/^(https?:|mailto:)/.test(value)) found.push(`${name} ${attribute}=${value}`);
        }
      }
      return found;
    },

    top: () => { panel().content.node.querySelector(".jp-WindowedPanel-outer").scrollTop = 0; },

    height: () => panel().content.node.querySelector(".jp-WindowedPanel-inner, .jp-WindowedPanel-viewport").scrollHeight,
  };
})();
