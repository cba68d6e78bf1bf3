// Paths to pages. Links are plain <a href>: a click on one of this site's changes the page without loading it anew.

export interface Page {
  title: string;
  element: HTMLElement;
  dispose?: () => void; // ends what the page began: timers, event streams, players
}

export type Params = Record<string, string>;
export interface Route {
  path: string; // "/watch/{id}"
  open: (params: Params) => Page | Promise<Page>;
}

// "/watch/{id}" and "/watch/v_1" -> {id: "v_1"}; null: another path
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Params = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{') && value !== '') {
      try {
        params[part.slice(1, -1)] = decodeURIComponent(value);
      } catch {
        return null;
      }
    } else if (part !== value) {
      return null;
    }
  }
  return params;
}

let opener: () => void = () => undefined;

export function go(path: string, replaced = false): void {
  if (replaced) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  opener();
}

// The page of the current address is opened anew.
export const reopen = (): void => opener();

function linkOf(event: MouseEvent): HTMLAnchorElement | null {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin || /^\/(api|media|s3|metrics)(\/|$)/.test(link.pathname)) return null;
  return link.hash && link.pathname === location.pathname ? null : link;
}

// Opens the page of the address now and whenever it changes.
export function start(open: () => void): void {
  opener = open;
  window.addEventListener('popstate', open);
  document.addEventListener('click', (event) => {
    const link = linkOf(event);
    if (!link) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
  open();
}
