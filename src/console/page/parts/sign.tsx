import type { Edge } from '../../answers.js';
import { Icon, type IconName } from './icon.js';

type State = Edge['state'];

/** Each state has a sign, a word and a colour; none by colour alone. */
const STATES: Readonly<
  Record<State, { readonly icon: IconName; readonly word: string; readonly tone: string }>
> = {
  open: { icon: 'yes', word: 'open', tone: 'good' },
  held: { icon: 'hold', word: 'held', tone: 'warn' },
  foreign: { icon: 'person', word: 'foreign', tone: '' },
  'break-glass': { icon: 'warn', word: 'break-glass', tone: 'bad' },
  closed: { icon: 'no', word: 'closed', tone: '' },
};

export function StateBadge({ state }: { readonly state: State }) {
  const { icon, word, tone } = STATES[state];
  return (
    <span class={`badge ${tone}`}>
      <Icon name={icon} /> {word}
    </span>
  );
}

const OUTCOMES: Readonly<Record<string, { readonly icon: IconName; readonly tone: string }>> = {
  applied: { icon: 'yes', tone: 'good' },
  held: { icon: 'hold', tone: 'warn' },
  refused: { icon: 'no', tone: 'bad' },
  failed: { icon: 'no', tone: 'bad' },
  unknown: { icon: 'unknown', tone: 'warn' },
  observed: { icon: 'search', tone: '' },
};

export function OutcomeBadge({ outcome }: { readonly outcome: string }) {
  const { icon, tone } = OUTCOMES[outcome] ?? { icon: 'unknown', tone: '' };
  return (
    <span class={`badge ${tone}`}>
      <Icon name={icon} /> {outcome}
    </span>
  );
}
