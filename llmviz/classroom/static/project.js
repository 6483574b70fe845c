// For a projector: one scene at a time, or one picture where a scene has several, in large type; next and back by arrow
// keys, by Page Up and Page Down (which a presenter's clicker sends), and by two small buttons. What is taller than the
// screen is scrolled by the keys first; what a button reveals is scrolled to, together with the button's card. In full
// screen a key leaves that. Only on the teacher's own computer: everybody else reads the page as ever.

const [PAGE_WIDTH, PAGE_HEIGHT] = [900, 600]; // pixels of the page's own that a screen holds at least
const KEYS = { PageDown: 1, PageUp: -1, ArrowRight: 1, ArrowLeft: -1 };
const OWN_ARROWS = "textarea, select, [role=slider], [contenteditable], input:not([type=checkbox], [type=button])";

/** The cells of each screen; what stands before the first heading belongs to it. */
function screens() {
  const all = [[]];
  let [headings, pictures] = [0, 0];
  for (const cell of document.querySelector("#rendered_cells > div").children) {
    const has = (what) => !cell.matches("details") && cell.querySelector(what) !== null;
    const [heading, picture] = [has("h1, h2"), has("figure.llmviz, .js-plotly-plot")];
    if ((heading && headings) || (picture && pictures)) {
      all.push([]);
      pictures = 0;
    }
    all.at(-1).push(cell);
    headings += heading;
    pictures += picture;
  }
  return all;
}

/** Show one screen at a time, above a bar that counts them: {bar, step}, which shows the next, or the one before. */
function oneAtATime() {
  const button = (textContent, title, by) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent, title });
    made.ariaLabel = title;
    made.addEventListener("click", () => step(by));
    return made;
  };
  const counter = Object.assign(document.createElement("span"), { role: "status" });
  const bar = Object.assign(document.createElement("div"), { className: "lv-steps" });
  bar.append(button("‹", "Back", -1), counter, button("›", "Next", 1));
  document.body.append(bar);
  document.body.classList.add("lv-projected");
  let n = 0; // screens
  let first = null; // the cell that the screen begins with: pictures that come later may make screens of their own

  function show(all, at) {
    [n, first] = [all.length, all[at][0]];
    for (const [i, screen] of all.entries()) for (const cell of screen) cell.classList.toggle("lv-elsewhere", i !== at);
    const heading = all[at].map((cell) => cell.querySelector("h1, h2")).find(Boolean);
    heading?.setAttribute("aria-level", "1"); // a screen is read as a page of its own
    counter.textContent = `${at + 1} / ${n}`;
    history.replaceState(null, "", `#${at + 1}`); // the place is kept when the page is loaded again
  }
  const place = (all) => all.findIndex((screen) => screen.includes(first));
  function step(by) {
    const all = screens();
    const to = place(all) + by;
    if (!all[to]) return;
    document.activeElement?.blur(); // so that the next key leads on, and is not a slider's on the screen left
    show(all, to);
    window.scrollTo(0, 0);
  }
  const all = screens();
  show(all, Math.min(Math.max(Number(location.hash.slice(1)) || 1, 1), all.length) - 1);
  // Pictures come once the kernel has sent them.
  new MutationObserver(() => {
    const now = screens();
    if (now.length !== n) show(now, place(now));
  }).observe(document.querySelector("#rendered_cells"), { childList: true, subtree: true });
  return { bar, step };
}

/** Scroll to what a button, or a switch, has brought to the page. */
function followButtons(bar) {
  const pictures = () => [...document.querySelectorAll("figure.llmviz")].filter((one) => one.checkVisibility());
  let pressed = null; // the button's card, and the pictures that were visible before
  const press = ({ target }) => {
    if (bar.contains(target)) pressed = null;
    else if (target.closest("button, input")) pressed = { card: target.closest("figure.llmviz"), seen: pictures() };
  };
  for (const kind of ["click", "change"]) document.addEventListener(kind, press, true);
  new ResizeObserver(() => {
    const revealed = !document.fullscreenElement && pressed && pictures().find((one) => !pressed.seen.includes(one));
    if (!revealed) return;
    (pressed.card ?? revealed).scrollIntoView(); // its answer stays in sight
    pressed = null;
  }).observe(document.querySelector("#rendered_cells > div"));
}

function project() {
  const { bar, step } = oneAtATime();
  followButtons(bar);
  /** Scroll most of a screen, if there is more that way. */
  const scroll = (by) => {
    const room = by > 0 ? document.scrollingElement.scrollHeight - innerHeight - scrollY : scrollY;
    if (room >= 4) scrollBy(0, by * 0.85 * (innerHeight - bar.getBoundingClientRect().height));
    return room >= 4;
  };
  const lead = (event) => {
    const by = KEYS[event.key];
    event.preventDefault();
    event.stopPropagation();
    if (document.fullscreenElement) document.exitFullscreen();
    else if (!scroll(by)) step(by);
  };
  addEventListener("keydown", (event) => /^Page(Up|Down)$/.test(event.key) && lead(event), true);
  document.addEventListener("keydown", (event) => {
    const isTaken = event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey;
    if (/^Arrow(Left|Right)$/.test(event.key) && !isTaken && !event.target.closest(OWN_ARROWS)) lead(event);
  });
  const enlarge = () => {
    if (!("currentCSSZoom" in document.body)) return; // else the pointer could not be found in what is enlarged
    const zoom = Math.max(1, Math.min(innerWidth / PAGE_WIDTH, innerHeight / PAGE_HEIGHT));
    document.body.style.setProperty("--lv-zoom", zoom);
    document.body.style.zoom = zoom;
  };
  addEventListener("resize", enlarge);
  enlarge();
}

if (["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) project();
