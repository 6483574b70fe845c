// How many are in the room, again and again.
async function look() {
  try {
    const state = await (await fetch("/teacher/state", { cache: "no-store" })).json();
    document.getElementById("visitors").textContent = state.visitors;
    document.getElementById("ready").textContent = state.ready;
    document.getElementById("of").textContent = state.of;
  } catch {
    document.getElementById("visitors").textContent = "?";
  }
}
look();
setInterval(look, 2000);
