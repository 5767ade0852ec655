// Dark or light, until the page is closed; the button names what it does.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
function nameTheme() {
  theme.textContent = isDark() ? "Switch to light" : "Switch to dark";
}
theme.hidden = false;
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
system.addEventListener("change", nameTheme);
nameTheme();
