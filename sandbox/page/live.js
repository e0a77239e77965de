// Keeps the parts of the page that change up to date, without losing what is open or being written.
const PERIOD_MS = 2000;

async function refresh() {
  if (document.hidden || document.querySelector('[data-live]') === null) return;
  const answer = await fetch('/', { headers: { accept: 'text/html' } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const part of document.querySelectorAll('[data-live]')) {
    const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (next === null || part.contains(document.activeElement) || part.innerHTML === next.innerHTML) continue;
    for (const open of part.querySelectorAll('details[open]'))
      next.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute('open', '');
    if (part.innerHTML !== next.innerHTML) part.replaceChildren(...next.childNodes);
  }
}

setInterval(() => refresh().catch(() => undefined), PERIOD_MS);
