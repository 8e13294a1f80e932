import { signal } from '@preact/signals';

/** The address that the page shows. All that a reader chose is in it. */
export const address = signal(new URL(location.href));

/** Shows another address. `replace`: without a step that the back button would return to. */
export function navigate(to: string, { replace = false } = {}): void {
  const next = new URL(to, location.href);
  if (next.href === location.href) return;
  if (replace) history.replaceState(null, '', next);
  else history.pushState(null, '', next);
  const isOther = next.pathname !== address.value.pathname;
  address.value = next;
  if (isOther) scrollTo(0, 0);
}

/** Follows the browser's buttons, and each click on a link of this page that asks for no tab of its own. */
export function startRouter(): void {
  addEventListener('popstate', () => {
    address.value = new URL(location.href);
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.target !== '' || link.origin !== location.origin || link.hash !== '') return;
    // The daemon answers this address itself: it leads to the identity provider.
    if (link.pathname.startsWith('/login/')) return;
    event.preventDefault();
    navigate(link.href);
  });
}
