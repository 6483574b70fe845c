// For a projector: one scene at a time, or one picture where a scene has several, in large type; next and back by arrow
// keys, by Page Up and Page Down (which a presenter's clicker sends), and by two small buttons. What is taller than the
// screen is scrolled by the keys first; what a button reveals is scrolled to, together with the button's card. In full
// screen a key leaves that. Only on the teacher's own computer: everybody else reads the page as ever.

const [PAGE_WIDTH, PAGE_HEIGHT] = [900, 600]; // pixels of the page's own that a screen holds at least
const OWN_ARROWS = "textarea, select, [role=slider], [contenteditable], input:not([type=checkbox], [type=button])";

const cells = () => [...document.querySelector("#rendered_cells > div").children];
const begins = (cell) => cell.matches(":not(details)") && cell.querySelector("h1, h2") !== null;
const hasPicture = (cell) =>
  cell.matches(":not(details)") && cell.querySelector("figure.llmviz, .js-plotly-plot") !== null;

/** The cells of each screen; what stands before the first heading belongs to it. */
function screens() {
  const all = [[]];
  let [headings, pictures] = [0, 0];
  for (const cell of cells()) {
    const [heading, picture] = [begins(cell), hasPicture(cell)];
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

function project() {
  const button = (text, name, by) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, title: name });
    made.setAttribute("aria-label", name);
    made.addEventListener("click", () => step(by));
    return made;
  };
  const counter = document.createElement("span");
  counter.setAttribute("role", "status");
  const bar = document.createElement("div");
  bar.className = "lv-steps";
  bar.append(button("‹", "Back", -1), counter, button("›", "Next", 1));
  document.body.append(bar);
  const page = document.scrollingElement;
  document.body.classList.add("lv-projected");
  let asked = null; // a button in the scene was pressed, perhaps in a card: what it reveals is scrolled to
  let seen = new Set(); // the pictures that were visible when it was pressed
  let first = null; // the cell that the screen begins with: pictures that come later may make screens of their own

  function show(all, at) {
    first = all[at][0];
    for (const [i, screen] of all.entries()) for (const cell of screen) cell.classList.toggle("lv-elsewhere", i !== at);
    const heading = all[at].map((cell) => cell.querySelector("h1, h2")).find(Boolean);
    heading?.setAttribute("aria-level", "1"); // a screen is read as a page of its own
    counter.textContent = `${at + 1} / ${all.length}`;
    history.replaceState(null, "", `#${at + 1}`); // the place is kept when the page is loaded again
  }
  const place = (all) =>
    Math.max(
      0,
      all.findIndex((screen) => screen.includes(first)),
    );
  const pictures = () => [...document.querySelectorAll("figure.llmviz")].filter((one) => one.checkVisibility());
  function scrolls(by) {
    const room = by > 0 ? page.scrollHeight - window.innerHeight - window.scrollY : window.scrollY;
    if (room < 4) return false;
    window.scrollBy(0, by * 0.85 * (window.innerHeight - bar.getBoundingClientRect().height));
    return true;
  }
  const go = (by) => scrolls(by) || step(by);
  function step(by) {
    const all = screens();
    const at = place(all);
    const to = Math.min(Math.max(at + by, 0), all.length - 1);
    if (to === at) return;
    document.activeElement?.blur(); // so that the next key leads on, and is not a slider's on the screen left
    show(all, to);
    asked = null;
    window.scrollTo(0, 0);
  }
  const leads = (by) => (document.fullscreenElement ? document.exitFullscreen() : go(by));
  const large = () => {
    if (!("currentCSSZoom" in document.body)) return;
    const zoom = Math.max(1, Math.min(window.innerWidth / PAGE_WIDTH, window.innerHeight / PAGE_HEIGHT));
    document.body.style.setProperty("--lv-zoom", zoom);
    document.body.style.zoom = zoom;
  };

  window.addEventListener("resize", large);
  const ask = (event) => {
    if (bar.contains(event.target) || !event.target.closest("button, input")) return;
    [asked, seen] = [{ card: event.target.closest("figure.llmviz") }, new Set(pictures())];
  };
  for (const kind of ["click", "change"]) document.addEventListener(kind, ask, true);
  new ResizeObserver(() => {
    const revealed = asked && !document.fullscreenElement && pictures().find((one) => !seen.has(one));
    if (!revealed) return;
    const card = asked.card ?? revealed; // its answer stays in sight
    asked = null;
    const height = revealed.getBoundingClientRect().bottom - card.getBoundingClientRect().top;
    if (height < window.innerHeight - bar.getBoundingClientRect().height) revealed.scrollIntoView({ block: "nearest" });
    else card.scrollIntoView({ block: "start" });
  }).observe(document.querySelector("#rendered_cells > div"));
  window.addEventListener(
    "keydown",
    (event) => {
      const by = { PageDown: 1, PageUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      leads(by);
    },
    true,
  );
  document.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!event.target.closest(OWN_ARROWS)) leads(by);
  });
  large();
  const all = screens();
  show(all, Math.min(Math.max((Number(location.hash.slice(1)) || 1) - 1, 0), all.length - 1));
  // Pictures come once the kernel has sent them.
  new MutationObserver(() => {
    const now = screens();
    if (counter.textContent.split(" ").at(-1) !== String(now.length)) show(now, place(now));
  }).observe(document.querySelector("#rendered_cells"), { childList: true, subtree: true });
}

if (["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) project();
