// The settings of a tab: sliders with their values, and the values that a job gets.

/** Show the value of each slider next to it. */
export function followSliders(root: ParentNode): void {
  for (const input of root.querySelectorAll<HTMLInputElement>('input[type="range"]')) {
    const output = input.parentElement!.querySelector("output");
    const show = () => output && (output.textContent = input.value);
    input.addEventListener("input", show);
    show();
  }
}

/** Values of the fields of a tab by name. */
export function readSettings(id: string): Record<string, string> {
  const fields = document.getElementById(id)!.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[name]");
  return Object.fromEntries([...fields].map((field) => [field.name, field.value]));
}
