// The theme of a notebook around an element: it has its own, whatever the system's.

/** Whether what lies behind an element is dark or light; null if nothing there has a colour. */
function themeBehind(element: Element): "dark" | "light" | null {
  for (let behind: Element | null = element; behind; behind = behind.parentElement) {
    const [red, green, blue, alpha = 1] =
      getComputedStyle(behind).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    if (alpha > 0.5) return 0.299 * red! + 0.587 * green! + 0.114 * blue! < 128 ? "dark" : "light";
  }
  return null;
}

/** Gives an element the theme behind it, now and whenever the notebook changes its own: JupyterLab
 * exchanges a style sheet, others an attribute or a class of the page.
 * @returns ends it. */
export function followTheme(element: HTMLElement): () => void {
  const take = (): void => {
    const theme = themeBehind(element.parentElement!) ?? "light dark";
    if (element.style.colorScheme !== theme) element.style.colorScheme = theme;
  };
  // A colour that fades in is read at its end, a style sheet when it has come.
  const events = ["transitionend", "load"] as const;
  const observer = new MutationObserver(() => requestAnimationFrame(take));
  observer.observe(document.documentElement, { attributes: true });
  observer.observe(document.body, { attributes: true });
  observer.observe(document.head, { childList: true });
  for (const event of events) document.addEventListener(event, take, { capture: true });
  take();
  return () => {
    observer.disconnect();
    for (const event of events) document.removeEventListener(event, take, { capture: true });
  };
}
