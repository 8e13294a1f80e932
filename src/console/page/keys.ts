import { signal } from '@preact/signals';
import { announce } from './parts/announce.js';
import { PLACES } from './places.js';
import { navigate } from './router.js';

/** The dialog that is open over the page. */
export const dialog = signal<'palette' | 'help' | undefined>(undefined);

const OFF = 'scopemesh-single-keys-off';
/** Whether a key alone does something. A setting, for those who speak to their computer. */
export const singleKeys = signal(localStorage.getItem(OFF) === null);

export function setSingleKeys(areOn: boolean): void {
  singleKeys.value = areOn;
  if (areOn) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, '');
}

/** What the keys do, for the page that lists them. No key changes anything in the mesh. */
export const KEYS: readonly (readonly [key: string, what: string])[] = [
  ['/ or Ctrl-K', 'search'],
  ...PLACES.map(({ name, key }) => [`g ${key}`, name] as const),
  ['j and k', 'the next row, the row before'],
  ['Enter', 'open the row'],
  ['y', 'copy the link to what you see'],
  ['?', 'these keys'],
  ['Esc', 'close'],
];

/** A `g` counts for the next key only if that comes soon. */
const PREFIX_MS = 1_500;

export function startKeys(): void {
  let prefixAt = Number.NEGATIVE_INFINITY;
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
      event.preventDefault();
      dialog.value = 'palette';
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !singleKeys.value || isTyping(event)) return;
    const isAfterPrefix = event.timeStamp - prefixAt < PREFIX_MS;
    prefixAt = event.key === 'g' && !isAfterPrefix ? event.timeStamp : Number.NEGATIVE_INFINITY;
    const place = isAfterPrefix ? PLACES.find(({ key }) => key === event.key) : undefined;
    if (place !== undefined) navigate(place.path);
    else if (!isAfterPrefix) act(event);
  });
}

function act(event: KeyboardEvent): void {
  switch (event.key) {
    case '/':
      event.preventDefault();
      dialog.value = 'palette';
      return;
    case '?':
      dialog.value = 'help';
      return;
    case 'j':
      moveRow(1);
      return;
    case 'k':
      moveRow(-1);
      return;
    case 'y':
      void navigator.clipboard.writeText(location.href).then(() => announce('The link is copied'));
  }
}

function isTyping({ target }: KeyboardEvent): boolean {
  return (
    dialog.value !== undefined || (target instanceof HTMLElement && target.matches('input, textarea, select'))
  );
}

/** Moves the focus to the main link of the next row. */
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('.row')];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? (step === 1 ? 0 : rows.length - 1) : at + step];
  const link = next?.querySelector<HTMLElement>('a.cover, .links a, a');
  link?.focus();
  link?.scrollIntoView({ block: 'nearest' });
}
