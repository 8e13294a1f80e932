import type { DecisionRow } from '../../answers.js';
import { durationText } from '../clock.js';
import { pathOf } from '../query.js';
import { Icon, type IconName } from './icon.js';
import { Chips, Name } from './name.js';
import { OutcomeBadge } from './sign.js';
import { Time } from './time.js';

interface Listed {
  readonly rows: readonly DecisionRow[];
  /** The IDs of those that came while the reader looked. */
  readonly fresh?: ReadonlySet<string>;
  readonly empty: string;
}

/** Decisions, newest first. */
export function Decisions({ rows, fresh, empty }: Listed) {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    <ul class="rows">
      {rows.map((row) => (
        <li key={row.id} class={fresh?.has(row.id) === true ? 'row decision fresh' : 'row decision'}>
          <DecisionLine row={row} />
        </li>
      ))}
    </ul>
  );
}

const ACTIONS: Readonly<
  Record<string, { readonly icon: IconName; readonly tone: string; readonly word: string }>
> = {
  grant: { icon: 'yes', tone: 'good', word: 'opened' },
  revoke: { icon: 'no', tone: 'bad', word: 'closed' },
  change: { icon: 'changes', tone: '', word: 'changed' },
};

function DecisionLine({ row }: { readonly row: DecisionRow }) {
  const { id, time, action, outcome, reason, scopes, client, person, by, detail, latencyMs } = row;
  const done = outcome === 'applied' ? ACTIONS[action] : undefined;
  return (
    <>
      <div class="pair">
        <a class="cover" href={pathOf('/changes', id)}>
          <What row={row} />
        </a>
      </div>
      {done === undefined ? (
        <OutcomeBadge outcome={outcome} />
      ) : (
        <span class={`badge ${done.tone}`}>
          <Icon name={done.icon} /> {done.word}
        </span>
      )}
      <p class="access">{reason}</p>
      <p class="soft grow">
        <Chips names={scopes.slice(0, 4)} />
        {client !== null && (
          <>
            {' '}
            <Name text={client.id} isCode />
          </>
        )}
        {person !== null && (
          <>
            {' '}
            <Name text={person} />
          </>
        )}
        {by !== null && (
          <>
            {' by '}
            <Name text={by} />
          </>
        )}
        {detail !== null && outcome !== 'applied' && (
          <>
            {' '}
            <Name text={detail} most={120} />
          </>
        )}
      </p>
      <p class="when soft">
        {latencyMs !== null && outcome === 'applied' && <span>{durationText(latencyMs)}</span>}
        <Time at={time} />
      </p>
    </>
  );
}

/** What a decision is about: a pair of services, or a thing of another kind. */
export function What({ row }: { readonly row: Pick<DecisionRow, 'from' | 'to' | 'kind' | 'subject'> }) {
  const { from, to, kind, subject } = row;
  if (from !== null && to !== null)
    return (
      <>
        <Name text={from} /> <Icon name="arrow" /> <Name text={to} />
      </>
    );
  return (
    <>
      <span class="soft">{kind}</span> <Name text={subject} most={40} />
    </>
  );
}
