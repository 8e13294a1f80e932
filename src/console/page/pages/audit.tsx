import type { AnswerTo } from '../api.js';
import { nameIn } from '../mesh/choices.js';
import { AnswerView } from '../parts/answer-view.js';
import { FilterBox, FilterChoice, FilterInstant, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { List } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { accessText, Callers, Cited, Holdings, Limits, Pair, PastCall } from '../parts/past.js';
import { Time } from '../parts/time.js';
import { address } from '../router.js';
import { useAnswer } from '../use-answer.js';

const ABOUT = [
  ['callers', 'who could call the service'],
  ['holdings', 'what the service, client or person could call'],
] as const;

export function AuditPlaces() {
  return (
    <p class="crumbs">
      <a href="/audit">Access at an instant</a> <a href="/audit/diff">Difference of two instants</a>{' '}
      <a href="/audit/evidence">Evidence</a> <a href="/audit/proof">Verify a decision</a>
    </p>
  );
}

/** Who could call whom at an instant, by the log of decisions alone. */
export function AuditPage() {
  const [{ about, name, at }, choose, set] = useChoices({ about: 'callers', name: '', at: '' });
  return (
    <>
      <AuditPlaces />
      <Heading title="Audit">Access at an instant</Heading>
      <Filters>
        <FilterChoice
          label="Question"
          value={about}
          options={ABOUT}
          onChange={(next) => choose({ about: next })}
        />
        <FilterBox label="Name" value={name} onChange={set('name')} />
        <FilterInstant label="At" value={at} onChange={set('at')} />
      </Filters>
      {name === '' && (
        <p class="empty">
          Name a service, a client or a person. Without an instant the answer is about now, as the log has it.
        </p>
      )}
      {name !== '' && about === 'callers' && <Callers name={name} at={at} />}
      {name !== '' && about !== 'callers' && <Holdings name={name} at={at} />}
    </>
  );
}

type Difference = AnswerTo<'/api/trail/access-diff'>['edges'][number];

/** What access came and went between two instants. */
export function AuditDiffPage() {
  const [{ from, to }, , set] = useChoices({ from: '', to: '' });
  const answer = useAnswer(from === '' ? undefined : '/api/trail/access-diff', { from, to }, to === '');
  return (
    <>
      <AuditPlaces />
      <Heading title="Difference">Difference of two instants</Heading>
      <Filters>
        <FilterInstant label="From" value={from} onChange={set('from')} />
        <FilterInstant label="To" value={to} onChange={set('to')} />
      </Filters>
      {from === '' ? (
        <p class="empty">Choose where the difference begins. Without an end it goes on until now.</p>
      ) : (
        <AnswerView answer={answer}>
          {(found) => (
            <>
              <Limits head={found} />
              <List
                caption="Differences"
                columns={DIFFERENCES}
                rows={found.edges}
                keyOf={({ source, destination }) => `${source} ${destination}`}
                empty="By the log, access is the same at both instants."
              />
            </>
          )}
        </AnswerView>
      )}
    </>
  );
}

const SIGNS: Readonly<Record<Difference['kind'], string>> = {
  came: 'good',
  widened: 'good',
  went: 'bad',
  narrowed: 'bad',
  changed: 'warn',
  unclear: 'warn',
};

const DIFFERENCES = [
  {
    name: 'What',
    cell: ({ kind }: Difference) => <span class={`badge ${SIGNS[kind]}`}>{kind}</span>,
  },
  { name: 'Call', cell: (edge: Difference) => <Pair {...edge} /> },
  { name: 'Before', cell: ({ before }: Difference) => <Name text={accessText(before?.access)} most={80} /> },
  { name: 'After', cell: ({ after }: Difference) => <Name text={accessText(after?.access)} most={80} /> },
  {
    name: 'Decisions',
    cell: ({ decisions }: Difference) =>
      decisions.map((decision) => (
        <div key={decision.id}>
          <Time at={decision.time} /> <Cited decision={decision} />
        </div>
      )),
  },
];

/** What a page shows at an instant, from the log of decisions; undefined for a page that shows the present alone. */
export function pastOf(place: string, first: string | undefined, second: string | undefined) {
  const asked = Object.fromEntries(address.value.searchParams);
  const { at = '', focus = '', from = '', to = '', method = '', path = '' } = asked;
  const name = place === 'map' ? nameIn(focus) : (first ?? '');
  if (place === 'why' && from !== '' && to !== '') return <PastCall {...{ from, to, method, path, at }} />;
  if (place === 'clients' && second !== undefined) return <Holdings name={`${name}/${second}`} at={at} />;
  if ((place !== 'services' && place !== 'map') || name === '') return undefined;
  return (
    <>
      <h2>Could call it</h2>
      <Callers name={name} at={at} />
      <Holdings name={name} at={at} />
    </>
  );
}

/** A page at an instant: what it shows, or that it has no past. */
export function PastPage({
  title,
  past,
}: {
  readonly title: string;
  readonly past: ReturnType<typeof pastOf>;
}) {
  const [{ at }, choose, set] = useChoices({ at: '' });
  return (
    <>
      <Heading title={`${title} in the past`}>
        <Name text={title} most={80} /> <span class="soft">in the past</span>
      </Heading>
      <Filters>
        <FilterInstant label="At" value={at} onChange={set('at')} />
        <div class="filter">
          <span class="soft">From the log of decisions</span>
          <button type="button" class="button" onClick={() => choose({ at: '' })}>
            Show the present
          </button>
        </div>
      </Filters>
      {past ?? (
        <p class="empty">
          This page shows the present alone: the log of decisions does not have what is on it.{' '}
          <a href={`/audit?${new URLSearchParams({ at })}`}>Ask about a service, a client or a person</a>.
        </p>
      )}
    </>
  );
}
