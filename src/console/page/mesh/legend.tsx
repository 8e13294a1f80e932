import type { Look } from './net.js';

export const LOOKS: readonly (readonly [look: Look, meaning: string])[] = [
  ['all', 'everything'],
  ['some', 'some requests'],
  ['held', '‖ held'],
  ['foreign', 'F of somebody else'],
  ['break-glass', '! break-glass'],
  ['closed', '× closed'],
];

interface Choice {
  readonly hidden: ReadonlySet<string>;
  readonly choose: (hide: string) => void;
}

/** What each line means. It is the filter too: a look can be left out. */
export function Legend({ hidden, choose }: Choice) {
  const toggle = (look: Look) => {
    const next = new Set(hidden);
    if (!next.delete(look)) next.add(look);
    choose([...next].toSorted().join());
  };
  return (
    <ul class="legend" aria-label="Legend, and what is shown">
      {LOOKS.map(([look, meaning]) => (
        <li key={look}>
          <button type="button" aria-pressed={!hidden.has(look)} onClick={() => toggle(look)}>
            <svg viewBox="0 0 40 12" aria-hidden="true">
              <g class={`arrow ${look}`}>
                <path d="M1 6h30" />
                <path class="tip" d="M39 6l-9 -5v10z" />
              </g>
            </svg>
            {meaning}
          </button>
        </li>
      ))}
    </ul>
  );
}
