// What the page does beyond being read: it asks for itself again while it is looked at, and tells of a picture
// what lies under the pointer, or under the arrow keys.
"use strict";

(() => {
  const main = document.getElementById("main");
  const lost = document.getElementById("lost");
  let timer;
  let since = null;

  // Asks for the page again, and puts what it shows in the place of what is shown.
  const refresh = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(20000) });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      replace(fresh);
      since = null;
      lost.hidden = true;
    } catch (error) {
      since = since || new Date();
      lost.textContent = `No answer from warmd since ${since.toLocaleTimeString()}: what you see is as old as that.`;
      lost.hidden = false;
    }
    schedule();
  };

  const schedule = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, Number(main.dataset.refresh) * 1000);
  };

  // Keeps what the reader is at: the focus, what is unfolded, what is typed.
  const replace = (fresh) => {
    const next = fresh.getElementById("main");
    if (!next) throw new Error("it is no page of warmd's");
    const typing = document.activeElement && document.activeElement.matches("input");
    if (typing) return;
    const path = pathTo(document.activeElement);
    const unfolded = [...main.querySelectorAll("details")].map((details) => details.open);
    hideTip();
    main.replaceChildren(...next.childNodes);
    main.dataset.refresh = next.dataset.refresh;
    document.querySelector("footer").replaceChildren(...fresh.querySelector("footer").childNodes);
    document.title = fresh.title;
    main.querySelectorAll("details").forEach((details, n) => { details.open = unfolded[n] || false; });
    const again = path && main.querySelector(path);
    if (again) again.focus({ preventScroll: true });
    prepare();
  };

  // Where an element lies within the page, or within the row that is known by its name.
  const pathTo = (element) => {
    if (!element || element === main || !main.contains(element)) return null;
    const steps = [];
    for (let at = element; at !== main; at = at.parentElement) {
      if (at.id) {
        steps.unshift(`#${CSS.escape(at.id)}`);
        break;
      }
      steps.unshift(`${at.localName}:nth-child(${[...at.parentElement.children].indexOf(at) + 1})`);
    }
    return steps.join(" > ");
  };

  // One tip for all pictures, in the place of the browser's own, which comes late and not by keys.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);

  const told = new WeakMap();
  const prepare = () => {
    main.querySelectorAll("svg .run").forEach((run) => {
      const title = run.querySelector("title");
      if (!title) return;
      told.set(run, title.textContent);
      title.remove();
    });
  };

  let shown = null;
  const showTip = (run) => {
    if (run === shown) return;
    hideTip();
    shown = run;
    run.classList.add("told");
    tip.textContent = told.get(run) || "";
    tip.hidden = false;
    const of = run.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth - own.width - 8;
    tip.style.left = `${scrollX + Math.max(8, Math.min(room, of.left + of.width / 2 - own.width / 2))}px`;
    tip.style.top = `${scrollY + (of.top > own.height + 8 ? of.top - own.height - 6 : of.bottom + 6)}px`;
  };
  const hideTip = () => {
    if (shown) shown.classList.remove("told");
    shown = null;
    tip.hidden = true;
  };

  main.addEventListener("pointerover", (event) => {
    const run = event.target.closest && event.target.closest(".run");
    if (run) showTip(run); else hideTip();
  });
  main.addEventListener("pointerleave", hideTip);
  main.addEventListener("focusout", hideTip);
  main.addEventListener("focusin", (event) => {
    if (!event.target.matches("svg") || !event.target.matches(":focus-visible")) return;
    const runs = event.target.querySelectorAll(".run");
    if (runs.length) showTip(runs[runs.length - 1]);
  });
  main.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hideTip();
    const picture = event.target.closest("svg");
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!picture || !step) return;
    const runs = [...picture.querySelectorAll(".run")];
    if (!runs.length) return;
    event.preventDefault();
    const at = runs.indexOf(shown);
    showTip(runs[Math.max(0, Math.min(runs.length - 1, (at < 0 ? runs.length - 1 : at) + step))]);
  });

  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else refresh(); });
  prepare();
  schedule();
})();
