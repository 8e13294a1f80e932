import { useEffect, useRef, useState } from 'preact/hooks';
import type { DecisionPage as Answered, Decisions as Decided, DecisionRow } from '../../answers.js';
import { read } from '../api.js';
import { cleanText } from '../clean-text.js';
import { durationText } from '../clock.js';
import { csvOf } from '../csv.js';
import { changes } from '../live.js';
import { announce } from '../parts/announce.js';
import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { Decisions, What } from '../parts/decisions.js';
import { FactList } from '../parts/fact-list.js';
import { FilterBox, FilterChoice, FilterInstant, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Pages } from '../parts/list.js';
import { Chips, ClientLink, Name } from '../parts/name.js';
import { Outlives } from '../parts/outlives.js';
import { OutcomeBadge } from '../parts/sign.js';
import { Time } from '../parts/time.js';
import { saveAs } from '../save-as.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = {
  service: '',
  client: '',
  outcome: '',
  action: '',
  reason: '',
  kind: '',
  since: '',
  until: '',
  cursor: '',
};
const OUTCOMES = [
  ['', 'any'],
  ['applied', 'applied'],
  ['held', 'held'],
  ['refused', 'refused'],
  ['failed', 'failed'],
  ['unknown', 'unknown'],
  ['observed', 'observed'],
] as const;
const ACTIONS = [
  ['', 'any'],
  ['grant', 'opens'],
  ['revoke', 'closes'],
  ['change', 'changes'],
  ['none', 'none'],
] as const;
const KINDS = [
  ['', 'any'],
  ['intention', 'call'],
  ['claim', 'claim'],
  ['client', 'client'],
  ['acl-policy', 'ACL policy'],
  ['acl-role', 'ACL role'],
  ['acl-auth-method', 'auth method'],
  ['acl-binding-rule', 'binding rule'],
  ['acl-token', 'ACL token'],
] as const;

/** What scopemesh decided, newest first, and live. */
export function ChangesPage() {
  const [chosen, , set] = useChoices(DEFAULTS);
  const list = useRef<HTMLDivElement>(null);
  const [isHeld, setHeld] = useState(false);
  // Nothing moves under a hand: while the pointer or the focus is in the list, new rows wait.
  const answer = useAnswer('/api/decisions', chosen, !isHeld && chosen.cursor === '');
  const rows = answer.value?.rows ?? [];
  const fresh = useFresh(rows);
  const isFiltered = Object.values(chosen).some((value) => value !== '');
  return (
    <>
      <Heading title="Changes">Changes</Heading>
      <Filters>
        <FilterBox label="Service" value={chosen.service} onChange={set('service')} />
        <FilterBox label="Client" value={chosen.client} onChange={set('client')} />
        <FilterChoice label="Outcome" value={chosen.outcome} options={OUTCOMES} onChange={set('outcome')} />
        <FilterChoice label="Access" value={chosen.action} options={ACTIONS} onChange={set('action')} />
        <FilterBox label="Reason" hint="ScopeRevoked" value={chosen.reason} onChange={set('reason')} />
        <FilterChoice label="About" value={chosen.kind} options={KINDS} onChange={set('kind')} />
        <FilterInstant label="Since" value={chosen.since} onChange={set('since')} />
        <FilterInstant label="Until" value={chosen.until} onChange={set('until')} />
        <Export filter={chosen} />
      </Filters>
      <div
        ref={list}
        onPointerEnter={() => setHeld(true)}
        onPointerLeave={() => setHeld(false)}
        onFocusCapture={() => setHeld(true)}
        onBlurCapture={() => setHeld(false)}
      >
        {isHeld && <Pill reload={answer.reload} />}
        <AnswerView answer={answer}>
          {({ next }) => (
            <>
              <Decisions
                rows={rows}
                fresh={fresh}
                empty={
                  isFiltered
                    ? 'No decision matches these filters.'
                    : 'The log has no decision yet. The first change of a scope will be here.'
                }
              />
              <Pages shown={rows.length} next={next} />
            </>
          )}
        </AnswerView>
      </div>
    </>
  );
}

/** Writes every decision that fits the filter into a file, oldest first, as `decisions list` does. */
function Export({ filter: { cursor: _, ...filter } }: { readonly filter: typeof DEFAULTS }) {
  const [state, setState] = useState('');
  const save = async () => {
    try {
      const rows: DecisionRow[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        setState(`${rows.length} read`);
        const page: Decided = await read('/api/decisions', { ...filter, cursor, limit: 500 });
        rows.push(...page.rows);
        cursor = page.next;
      }
      saveAs('decisions.csv', new Blob([csvOf(rows.toReversed())], { type: 'text/csv' }));
      setState(`${rows.length} saved`);
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div class="filter">
      <span class="soft" role="status">
        {state === '' ? 'All that fit' : state}
      </span>
      <button type="button" class="button" onClick={save}>
        Save as CSV
      </button>
    </div>
  );
}

/** Says that there is more to see while the list rests. */
function Pill({ reload }: { readonly reload: () => void }) {
  const [seen, setSeen] = useState(changes.peek());
  if (changes.value === seen) return null;
  const show = () => {
    setSeen(changes.peek());
    reload();
  };
  return (
    <button type="button" class="pill" onClick={show}>
      New changes: show them
    </button>
  );
}

/** The IDs of the rows that the list did not have a moment ago. */
function useFresh(rows: readonly DecisionRow[]): ReadonlySet<string> {
  const known = useRef<{ readonly ids: ReadonlySet<string>; fresh: ReadonlySet<string> }>(undefined);
  const ids = new Set(rows.map(({ id }) => id));
  const before = known.current?.ids;
  const added = before === undefined ? [] : [...ids].filter((id) => !before.has(id));
  const isOther = before === undefined || added.length > 0 || ids.size !== before.size;
  // A list of which nothing remains is another list, not news.
  const isNews = added.length > 0 && added.length < ids.size;
  if (isOther) known.current = { ids, fresh: new Set(isNews ? added : []) };
  const count = isNews ? added.length : 0;
  useEffect(() => {
    if (count > 0) announce(count === 1 ? 'One new change' : `${count} new changes`);
  }, [ids.size, count]);
  return known.current?.fresh ?? new Set();
}

/** One decision: what changed, why, by whom, how long it took, and its place in the chain. */
export function ChangePage({ id }: { readonly id: string }) {
  const answer = useAnswer('/api/decisions/{id}', { id }, false);
  return (
    <>
      <p class="crumbs">
        <a href="/changes">Changes</a>
      </p>
      <AnswerView answer={answer}>
        {(decision) => (
          <>
            <div class="titled">
              <Heading title={`${decision.reason} ${decision.subject}`}>
                <What row={decision} />
              </Heading>
              <OutcomeBadge outcome={decision.outcome} />
            </div>
            <Facts decision={decision} />
            <Outlives decision={decision} />
            <Difference before={decision.before} after={decision.after} />
            <details>
              <summary>The event as the log has it</summary>
              <pre>{cleanLines(decision.event)}</pre>
            </details>
            <p>
              <a href={`/audit/proof?${new URLSearchParams({ id: decision.id })}`}>
                Verify it in this browser
              </a>
              , or on the command line:
            </p>
            <Copy text={`scopemesh decisions prove ${decision.id}`} />
          </>
        )}
      </AnswerView>
    </>
  );
}

function Facts({ decision }: { readonly decision: Answered }) {
  const {
    time,
    reason,
    action,
    verb,
    kind,
    scopes,
    client,
    person,
    by,
    cause,
    detail,
    latencyMs,
    sequence,
    id,
  } = decision;
  const facts = {
    When: <Time at={time} />,
    Reason: reason,
    Did: `${kind} ${verb}, access: ${action}`,
    Cause: <Name text={cause} most={120} />,
    By: by === null ? undefined : <Name text={by} most={120} />,
    Comment: decision.comment === null ? undefined : cleanText(decision.comment),
    Client: client === null ? undefined : <ClientLink client={client} />,
    Person: person === null ? undefined : <Name text={person} most={120} />,
    Scopes: scopes.length === 0 ? undefined : <Chips names={scopes} />,
    Detail: detail === null ? undefined : cleanText(detail),
    Took: latencyMs === null ? undefined : durationText(latencyMs),
    Place: sequence === null ? 'not in the chain yet' : `number ${sequence} in the chain`,
    ID: <Name text={id} isCode />,
  };
  return <FactList facts={facts} />;
}

/** Before and after, side by side. */
export function Difference({ before, after }: { readonly before: unknown; readonly after: unknown }) {
  if ((before ?? null) === null && (after ?? null) === null) return null;
  return (
    <div class="difference">
      <figure>
        <figcaption>Before</figcaption>
        <pre>{cleanLines(before)}</pre>
      </figure>
      <figure>
        <figcaption>After</figcaption>
        <pre>{cleanLines(after)}</pre>
      </figure>
    </div>
  );
}

/** As JSON over several lines. */
export function cleanLines(value: unknown): string {
  if ((value ?? null) === null) return 'nothing';
  return JSON.stringify(value, null, 2).split('\n').map(cleanText).join('\n');
}
