// Shows only what holds the words that are looked for, in the list and on the page. Without it everything is there.
const input = document.querySelector<HTMLInputElement>('#filter');
const found = document.querySelector<HTMLElement>('#found');
const parts = [...document.querySelectorAll<HTMLElement>('.operation, .schema')].map((element) => ({element, text: (element.textContent ?? '').toLowerCase()}));
const links = new Map([...document.querySelectorAll<HTMLAnchorElement>('.contents a')].map((link) => [link.hash.slice(1), link.closest('li')]));

function show(): void {
  const words = (input?.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const {element, text} of parts) {
    const hit = words.every((word) => text.includes(word));
    element.hidden = !hit;
    const line = links.get(element.id);
    if (line) line.hidden = !hit;
    count += hit ? 1 : 0;
  }
  for (const group of document.querySelectorAll<HTMLElement>('.group')) group.hidden = !group.querySelector('.operation:not([hidden]), .schema:not([hidden])');
  if (found) found.textContent = words.length > 0 ? `${count} found` : '';
}

if (input) {
  input.hidden = false;
  input.addEventListener('input', show);
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || document.activeElement === input) return;
    event.preventDefault();
    input.focus();
  });
}
