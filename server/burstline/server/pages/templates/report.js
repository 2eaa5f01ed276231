// Draws the charts, keeps their colours with the reader's scheme, makes pictures of them for print, copies commands.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function paint(documents, scheme) {
    for (const doc of documents)
      for (const model of doc._all_models.values())
        for (const tag of model.tags)
          if (tag !== null && tag.scheme !== undefined) {
            const colours = {};
            for (const [name, pair] of Object.entries(tag.scheme)) colours[name] = pair[scheme];
            model.setv(colours);
          }
  }

  const frames = (count) => new Promise((done) => {
    const next = () => (count-- > 0 ? requestAnimationFrame(next) : done());
    next();
  });

  async function finished(views) {
    for (let tries = 0; tries < 100 && !views.every((view) => view.has_finished()); tries++) await frames(1);
    await frames(2);
  }

  async function draw() {
    const data = document.getElementById("charts");
    if (data === null) return;
    const { docs, items } = JSON.parse(data.textContent);
    const managers = await Bokeh.embed.embed_items(docs, items);
    const views = managers.flatMap((manager) => [...manager]);
    await finished(views);
    // Paper is white: the pictures for print are taken while the charts have their light colours.
    for (const view of views) {
      const picture = document.getElementById(view.model.name + "-print");
      if (picture !== null) picture.src = view.export("png").canvas.toDataURL("image/png");
    }
    const follow = () => paint(Bokeh.documents, dark.matches ? 1 : 0);
    dark.addEventListener("change", follow);
    if (dark.matches) follow();
    await finished(views);
    document.documentElement.dataset.drawn = "true";
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      if (!document.execCommand("copy")) return;
    }
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  draw();
})();
