// Tabs as in the ARIA authoring practices: arrow keys move, only the selected tab is in the tab order.

/** Make the tabs of the page work; `onSelect` gets the name of the selected panel. */
export function startTabs(onSelect: (name: string) => void): void {
  const tabs = [...document.querySelectorAll<HTMLButtonElement>('[role="tab"]')];
  const select = (tab: HTMLButtonElement) => {
    for (const each of tabs) {
      const isSelected = each === tab;
      each.setAttribute("aria-selected", String(isSelected));
      each.tabIndex = isSelected ? 0 : -1;
      panelOf(each).hidden = !isSelected;
    }
    onSelect(tab.getAttribute("aria-controls")!);
  };
  tabs.forEach((tab, k) => {
    tab.onclick = () => select(tab);
    tab.onkeydown = ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[key];
      if (step === undefined) return;
      const next = tabs[(k + step) % tabs.length];
      next.focus();
      select(next);
    };
  });
  const asked = location.hash.slice(1).split("=")[0];
  select(tabs.find((tab) => tab.getAttribute("aria-controls") === asked) ?? tabs[0]);
}

function panelOf(tab: HTMLElement): HTMLElement {
  return document.getElementById(tab.getAttribute("aria-controls")!)!;
}
