// On every page of a class, next to Voilà's own script: is the kernel still there? And the switch that shows the code.

const LOOK_EVERY = 4000; // ms
const AGAIN = 20_000; // ms: who had to load the page again a moment ago is asked before it happens once more

const kernel = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}").kernelId;
const base = document.body.dataset.baseUrl.replace(/voila\/$/, "");
const box = document.getElementById("lv-told");
const [line, button] = box.children;
let typed = false; // then nothing is loaded again without asking
let ended = false;

function tell(text, asks = false) {
  box.hidden = !text;
  line.textContent = text;
  button.hidden = !asks;
}

function again() {
  sessionStorage.setItem("llmviz-again", Date.now());
  location.reload();
}

function gone(why, bySelf) {
  ended = true;
  const soon = Date.now() - Number(sessionStorage.getItem("llmviz-again")) < AGAIN;
  if (!bySelf || typed || soon || document.hidden) {
    tell(`${why} What you see stays until you load the page again.`, true);
    if (bySelf && !typed && document.hidden) addEventListener("visibilitychange", again, { once: true });
  } else {
    tell(`${why} The page comes back in a moment.`);
    setTimeout(again, 1500);
  }
}

async function look() {
  let status = 0;
  let why = "";
  try {
    const options = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(10_000) };
    const answer = await fetch(`${base}class/alive/${kernel}`, options);
    status = answer.status;
    why = await answer.text();
  } catch {
    tell("No connection to the teacher’s computer. The page goes on as soon as it is there again.");
  }
  if (status === 204) tell("");
  else if (status === 410) gone(why, false);
  else if (status === 404 || status === 403) gone("The model of this page has stopped.", true);
  if (!ended) setTimeout(look, LOOK_EVERY);
}

button.addEventListener("click", again);
const isTyped = ({ target }) => target.matches("textarea, input[type=text], input[type=number]");
addEventListener("input", (event) => (typed ||= event.isTrusted && isTyped(event)), true);
addEventListener("pagehide", () => navigator.sendBeacon(`${base}class/leave/${kernel}`));
addEventListener("pageshow", (event) => event.persisted && look()); // back from the browser's store: it has left

/** To the scene that the address names, once the page is shown; and there it stays while pictures come in above it. */
function toScene() {
  const heading = document.getElementById(location.hash.slice(1));
  if (!heading) return;
  let left = 60; // times: some 20 s
  const going = setInterval(() => {
    if (!heading.checkVisibility()) return;
    heading.scrollIntoView();
    if (--left === 0) end();
  }, 300);
  const end = () => clearInterval(going);
  for (const kind of ["wheel", "pointerdown", "keydown"]) addEventListener(kind, end, { once: true, capture: true });
}

const code = document.getElementById("lv-code");
code.checked = sessionStorage.getItem("llmviz-code") === "true"; // class.css shows it
code.addEventListener("change", () => sessionStorage.setItem("llmviz-code", code.checked));
look();
toScene();
