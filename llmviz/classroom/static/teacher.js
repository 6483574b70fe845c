// How many are in the room, again and again.
async function look() {
  try {
    const state = await (await fetch("/teacher/state", { cache: "no-store" })).json();
    for (const id of ["visitors", "ready", "of"]) document.getElementById(id).textContent = state[id];
  } catch {
    document.getElementById("visitors").textContent = "?";
  }
}
look();
setInterval(look, 2000);
