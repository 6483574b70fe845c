// The teacher's page of a lesson: how many answers there are, and how often each was given once the teacher asks.

const table = document.getElementById("counts");
const cells = [...document.querySelectorAll("[data-count]")];
const answers = document.getElementById("answers"); // null where no questions are open
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

async function look() {
  try {
    const counts = await (await fetch(`${location.pathname}/counts`, { cache: "no-store" })).json();
    for (const cell of table.hidden ? [] : cells) {
      const [when, question, option] = cell.dataset.count.split(" ");
      const all = counts[when][question];
      cell.textContent = all[option];
      cell.style.setProperty("--share", `${(100 * all[option]) / (sum(all) || 1)}%`);
    }
    if (!answers) return;
    answers.textContent = sum(counts[answers.dataset.when][0]);
    document.getElementById("pages").textContent = counts.pages;
  } catch {
    // the server has ended: the last counts stay
  }
}

document.getElementById("show-counts").addEventListener("change", (event) => {
  table.hidden = !event.target.checked;
  look();
});
look();
setInterval(look, 2000);
