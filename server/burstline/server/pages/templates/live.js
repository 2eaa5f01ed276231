// Keeps a run's page up to date from the server's events, and shows its result when it has ended.
"use strict";
(() => {
  const place = (name) => document.querySelector(`[data-field="${name}"]`);
  const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const time = (s) => s === null ? "–" : s >= 1 ? s.toFixed(2) + " s" : (s * 1000).toPrecision(3) + " ms";

  function put(name, text) {
    const element = place(name);
    if (element !== null && element.textContent !== text) element.textContent = text;
  }

  function line(name, seconds, most) {
    const element = document.getElementById(name);
    const width = 600, height = 120, last = seconds[seconds.length - 1].at + 1, first = last - 30;
    const points = [];
    for (const one of seconds) {
      const y = height - (one[name] / most) * (height - 6);
      points.push(`${((one.at - first) / 30) * width},${y}`, `${((one.at + 1 - first) / 30) * width},${y}`);
    }
    element.setAttribute("points", points.join(" "));
  }

  // A quota as text with a bar; the mark is the quota, the bar ends at one and a half times it.
  function use(one) {
    const item = document.createElement("li"), bar = document.createElement("span");
    const ratio = one.use / one.limit, text = `${one.title}: ${number.format(one.use)} of ${number.format(one.limit)}`;
    item.append(text);
    if (one.binding) {
      const word = document.createElement("strong");
      word.className = "bad";
      word.textContent = " – binds";
      item.append(word);
    }
    bar.className = "bar tone-" + (one.binding || ratio > 1 ? "bad" : ratio > 0.8 ? "doubt" : "good");
    bar.setAttribute("aria-hidden", "true");
    const filled = document.createElement("i"), mark = document.createElement("b");
    filled.style.width = Math.min(100, (ratio / 1.5) * 100) + "%";
    mark.style.left = "66.67%";
    bar.append(filled, mark);
    item.append(bar);
    return item;
  }

  function show(now) {
    const done = now.elapsed_s === null ? 0 : now.elapsed_s / (now.planned_s || 1);
    place("bar").value = done;
    place("bar").textContent = Math.round(done * 100) + " %";
    put("state", now.state.toLowerCase());
    put("phase", now.phase || "–");
    put("elapsed", now.elapsed_s === null ? "not started" : `${Math.floor(now.elapsed_s)} of ${number.format(now.planned_s)} s`);
    for (const name of ["due", "sent", "dropped", "in_flight", "workers"]) put(name, number.format(now[name]));
    for (const name of ["due_per_s", "sent_per_s"]) put(name, number.format(now[name]) + "/s");
    for (const name of ["p50_s", "p95_s", "p99_s"]) put(name, time(now[name]));
    for (const name of ["ok", "throttled", "unsettled", "rejected", "failed", "timed_out", "unreachable"])
      put(name, number.format(now.outcomes[name] ?? 0));
    place("throttled").classList.toggle("bad", (now.outcomes.throttled ?? 0) > 0);
    if (now.seconds.length) {
      const most = Math.max(1, ...now.seconds.map((one) => Math.max(one.due, one.sent)));
      for (const name of ["due", "sent", "throttled"]) line(name, now.seconds, most);
      put("most", `the highest of these seconds: ${number.format(most)}/s`);
    }
    if (now.quotas.length) place("quotas").replaceChildren(...now.quotas.map(use));
    const list = place("notices");
    list.replaceChildren(...now.notices.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  }

  const source = new EventSource(location.pathname.replace(/\/$/, "") + "/events");
  source.onmessage = (event) => {
    const now = JSON.parse(event.data);
    show(now);
    document.documentElement.dataset.seen = "true";
    if (now.final) {
      source.close();
      location.reload();
    }
  };
  // A run that ended while we were away has no events any more.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000); };
})();
