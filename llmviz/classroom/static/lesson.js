// The teacher's page of a lesson: how often each answer was given, again and again, once the teacher asks.

const table = document.getElementById("counts");
const cells = [...document.querySelectorAll("[data-count]")];

async function look() {
  if (table.hidden) return;
  try {
    const counts = await (await fetch(`${location.pathname}/counts`, { cache: "no-store" })).json();
    for (const cell of cells) {
      const [when, question, option] = cell.dataset.count.split(" ");
      const all = counts[when][question];
      const sum = all.reduce((a, b) => a + b, 0);
      cell.textContent = all[option];
      cell.style.setProperty("--share", `${sum ? (100 * all[option]) / sum : 0}%`);
    }
  } catch {
    // the server has ended: the last counts stay
  }
}

document.getElementById("show-counts").addEventListener("change", (event) => {
  table.hidden = !event.target.checked;
  look();
});
document
  .getElementById("show-right")
  .addEventListener("change", (event) => document.body.classList.toggle("shows-right", event.target.checked));
setInterval(look, 2000);
