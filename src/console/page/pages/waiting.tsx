import { useState } from 'preact/hooks';
import type { WaitingRow } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { type Act, ActForm } from '../parts/act-form.js';
import { ActLink } from '../parts/acts.js';
import { AnswerView } from '../parts/answer-view.js';
import { Countdown } from '../parts/countdown.js';
import { Decisions } from '../parts/decisions.js';
import { FilterChoice, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { Pages } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Section } from '../parts/section.js';
import { Time } from '../parts/time.js';
import { rule, titleOf, WORDS } from '../parts/waiting.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { tab: '', kind: '', cursor: '' };
const TABS = [
  ['', 'Waiting'],
  ['mine', 'Mine'],
  ['done', 'Done'],
] as const;
const KINDS = [
  ['', 'all'],
  ['hold', 'held changes'],
  ['break-glass', 'break-glass'],
  ['quarantine', 'quarantines'],
  ['deny', 'denies'],
  ['freeze', 'freezes'],
] as const;

/** What waits for a person, what lasts until a person ends it, and what persons did. */
export function WaitingPage() {
  const [chosen, choose] = useChoices(DEFAULTS);
  return (
    <>
      <div class="titled">
        <Heading title="Waiting">Waiting</Heading>
        <span class="buttons">
          <ActLink act="freeze">Freeze</ActLink> <ActLink act="deny">Deny an edge</ActLink>{' '}
          <ActLink act="break-glass">Break glass</ActLink>
        </span>
      </div>
      <nav class="tabs" aria-label="Which">
        {TABS.map(([tab, name]) => (
          <a
            key={tab}
            href={tab === '' ? '/waiting' : `/waiting?tab=${tab}`}
            {...(chosen.tab === tab ? { 'aria-current': 'true' } : {})}
          >
            {name}
          </a>
        ))}
      </nav>
      {chosen.tab === 'done' ? <DoneTab {...chosen} /> : <Inbox chosen={chosen} choose={choose} />}
    </>
  );
}

/** What persons did, as the trail has it: it never disappears. */
function DoneTab({ cursor }: { readonly cursor: string }) {
  const answer = useAnswer('/api/decisions', { cause: 'command', cursor }, cursor === '');
  return (
    <AnswerView answer={answer}>
      {({ rows, next }) => (
        <>
          <Decisions rows={rows} empty="No person has decided anything yet." />
          <Pages shown={rows.length} next={next} />
        </>
      )}
    </AnswerView>
  );
}

interface Chosen {
  readonly chosen: typeof DEFAULTS;
  readonly choose: (choices: Partial<typeof DEFAULTS>) => void;
}

function Inbox({ chosen, choose }: Chosen) {
  const { tab, kind, cursor } = chosen;
  const answer = useAnswer('/api/holds', { kind, cursor });
  /** What was shown when the person took it: if it is another one now, the ruling is refused. */
  const [taken, setTaken] = useState<ReadonlyMap<string, WaitingRow>>(new Map());
  const take = (row: WaitingRow, isTaken: boolean) => {
    const next = new Map(taken);
    if (isTaken) next.set(row.id, row);
    else next.delete(row.id);
    setTaken(next);
  };
  return (
    <>
      <Filters>
        <FilterChoice
          label="Kind"
          value={kind}
          options={KINDS}
          onChange={(value) => choose({ kind: value, cursor: '' })}
        />
      </Filters>
      <AnswerView answer={answer}>
        {(waiting) => {
          const rows = waiting.rows.filter(({ isMine }) => tab !== 'mine' || isMine);
          const open = rows.filter(({ isOpen }) => isOpen);
          const lasting = rows.filter(({ isOpen }) => !isOpen);
          return (
            <>
              <WorldNote world={waiting} />
              {rows.length === 0 && (
                <p class="empty">
                  {tab === 'mine'
                    ? 'Nothing that you asked for or approved first waits for another person.'
                    : 'Nothing waits for a person, and nothing is closed or frozen by one. What persons did is under Done.'}
                </p>
              )}
              {open.length > 0 && (
                <Section title="Needs a person" count={open.length}>
                  <WaitingRows rows={open} taken={taken} take={take} />
                  {taken.size > 0 && (
                    <Together
                      key={[...taken.keys()].join()}
                      rows={[...taken.values()]}
                      reload={answer.reload}
                      since={waiting.asOf.at}
                    />
                  )}
                </Section>
              )}
              {lasting.length > 0 && (
                <Section title="In effect until a person ends it" count={lasting.length}>
                  <WaitingRows rows={lasting} />
                </Section>
              )}
              <Pages shown={waiting.rows.length} total={waiting.total} next={waiting.next} />
            </>
          );
        }}
      </AnswerView>
    </>
  );
}

interface Rows {
  readonly rows: readonly WaitingRow[];
  readonly taken?: ReadonlyMap<string, WaitingRow>;
  readonly take?: (row: WaitingRow, isTaken: boolean) => void;
}

function WaitingRows({ rows, taken, take }: Rows) {
  return (
    <ul class="rows">
      {rows.map((row) => (
        <li key={row.id} class="row waiting">
          {take !== undefined && (
            <input
              type="checkbox"
              aria-label={`Select ${titleOf(row)}`}
              checked={taken?.has(row.id) === true}
              onChange={({ currentTarget }) => take(row, currentTarget.checked)}
            />
          )}
          <a class="cover" href={pathOf('/waiting', row.id)}>
            {cleanText(titleOf(row))}
          </a>
          <span class={`badge ${row.isOpen ? 'warn' : 'bad'}`}>
            <Icon name={row.isOpen ? 'waiting' : 'hold'} /> {row.reason ?? WORDS[row.kind]}
          </span>
          <p class="soft grow">
            {row.by !== null && (
              <>
                by <Name text={row.by} />{' '}
              </>
            )}
            {row.firstApproval !== null && (
              <>
                approved first by <Name text={row.firstApproval.by} />{' '}
              </>
            )}
            {row.detail !== null && <Name text={row.detail} most={140} />}
          </p>
          <p class="when soft">
            {row.until !== null && <Countdown until={row.until} />}
            {row.since !== null && <Time at={row.since} />}
          </p>
        </li>
      ))}
    </ul>
  );
}

/** Rules on up to 100 at once. Each has its own outcome. */
function Together({
  rows,
  reload,
  since,
}: {
  readonly rows: readonly WaitingRow[];
  readonly reload: () => void;
  readonly since: string;
}) {
  const right = (action: string) =>
    rows
      .map(({ may }) => may[action] ?? 'this cannot be done with all of them')
      .find((each) => each !== true) ?? true;
  const act = (name: string, verdict: 'approve' | 'reject', tone: Act['tone']): Act => ({
    ...{ name, tone, right: right(verdict) },
    send: (comment) => rule(verdict, rows, comment, since),
  });
  return (
    <ActForm
      acts={[act(`Approve ${rows.length}`, 'approve', 'first'), act(`Reject ${rows.length}`, 'reject', '')]}
      onSent={reload}
    />
  );
}
