// The methods, ready to paste.
const copy = document.getElementById("copy");
copy.hidden = false;
copy.addEventListener("click", async () => {
  const prose = document.getElementById("prose");
  const words = all("p", prose).map(textOf).join("\n\n");
  const status = document.getElementById("copied");
  try {
    await navigator.clipboard.writeText(words);
    status.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(prose);
    status.textContent = "selected: copy it with your keyboard";
  }
});
