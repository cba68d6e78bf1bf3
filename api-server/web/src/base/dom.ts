// Elements without markup texts: everything that comes from people or from the server becomes a text node or an attribute, never HTML.

export type Child = Node | string | number | null | undefined | false | Child[];
type Value = string | number | boolean | null | undefined;
type Listeners = {[K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void};
export type Attributes = {on?: Listeners} & {[name: string]: Value | Listeners};

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value as Record<string, EventListener>)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (typeof value === 'string' || typeof value === 'number') {
      element.setAttribute(name, String(value));
    }
  }
}

export function append(parent: Node, ...children: Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, ...child);
    else if (child instanceof Node) parent.appendChild(child);
    else if (child !== null && child !== undefined && child !== false) parent.appendChild(document.createTextNode(String(child)));
  }
}

// true: an attribute without a value; false, null, undefined: none.
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  append(element, ...children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  set(element, attributes);
  append(element, ...children);
  return element;
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, ...children);
}

// As replace(), but what is there already, and looks the same, stays: whoever reads it or has it in focus is not disturbed.
export function refresh(parent: Element, ...children: Child[]): void {
  const wanted = document.createDocumentFragment();
  append(wanted, ...children);
  const before = [...parent.childNodes];
  const now = [...wanted.childNodes];
  now.forEach((node, index) => {
    const was = before[index];
    if (!was) parent.append(node);
    else if (!was.isEqualNode(node)) was.replaceWith(node);
  });
  before.slice(now.length).forEach((node) => node.remove());
}

let last = 0;
export const uniqueId = (word: string): string => `${word}-${++last}`;
