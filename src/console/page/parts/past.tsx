import type { Citation, PastEdge } from '../../answers/past.js';
import type { AnswerTo } from '../api.js';
import { cleanText } from '../clean-text.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';
import { AnswerView } from './answer-view.js';
import { Icon } from './icon.js';
import { List } from './list.js';
import { Chips, ClientLink, Name } from './name.js';
import { permissionText } from './plan-rows.js';
import { Section } from './section.js';
import { Time } from './time.js';

interface Asked {
  readonly name: string;
  readonly at: string;
}

/** Who could call a service at an instant, by the log alone. */
export function Callers({ name, at }: Asked) {
  const answer = useAnswer('/api/trail/who-can-call', { service: name, at }, at === '');
  return (
    <AnswerView answer={answer}>
      {(found) => (
        <>
          <Limits head={found} />
          <PastEdges
            caption="Callers"
            edges={found.callers}
            empty={
              found.isKnown
                ? 'By the log nobody could call it then.'
                : 'No decision of the log is about calls to a service with this name.'
            }
          />
          {found.held.length > 0 && (
            <>
              <h2>Held: these changed nothing</h2>
              <PastEdges caption="Held" edges={found.held} />
            </>
          )}
        </>
      )}
    </AnswerView>
  );
}

/** What a service, a client or a person could call at an instant. */
export function Holdings({ name, at }: Asked) {
  const answer = useAnswer('/api/trail/what-can', { name, at }, at === '');
  return (
    <AnswerView answer={answer}>
      {(found) => (
        <>
          <Limits head={found} />
          {found.found.length === 0 && <p class="empty">No decision of the log has this name.</p>}
          {found.found.map(({ kind, edges }) => (
            <Section key={kind} title={`As a ${kind}`}>
              <PastEdges caption={`As a ${kind}`} edges={edges} empty="It could call nothing then." />
            </Section>
          ))}
        </>
      )}
    </AnswerView>
  );
}

interface Call {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly at: string;
}

/** Whether a call was allowed at an instant. */
export function PastCall({ from, to, method, path, at }: Call) {
  const request = path === '' ? {} : { path, method: method === '' ? 'GET' : method.toUpperCase() };
  const answer = useAnswer('/api/trail/explain', { source: from, destination: to, at, ...request }, false);
  return (
    <AnswerView answer={answer}>
      {(found) => (
        <>
          <p class="verdict">
            <strong>By what scopemesh had written then: {found.verdict}</strong>
          </p>
          <Limits head={found} />
          <PastEdges
            caption="The edge"
            edges={found.edge === undefined ? [] : [found.edge]}
            empty="It had written nothing for these two services."
          />
        </>
      )}
    </AnswerView>
  );
}

interface Edges {
  readonly caption: string;
  readonly edges: readonly PastEdge[];
  readonly empty?: string;
}

function PastEdges({ edges, ...more }: Edges) {
  const keyOf = ({ source, destination }: PastEdge) => `${source} ${destination}`;
  return <List {...more} columns={COLUMNS} rows={edges} keyOf={keyOf} />;
}

const COLUMNS = [
  { name: 'Call', cell: (edge: PastEdge) => <Pair {...edge} /> },
  { name: 'Access', cell: ({ access }: PastEdge) => <Name text={accessText(access)} most={80} /> },
  {
    name: 'By',
    cell: ({ client, scopes }: PastEdge) => (
      <>
        <Chips names={scopes} />{' '}
        {client !== undefined && <ClientLink client={{ provider: client.provider, id: client.clientId }} />}
      </>
    ),
  },
  {
    name: 'Since',
    cell: ({ since }: PastEdge) =>
      since === undefined ? <span class="soft">older than the log</span> : <Time at={since.time} />,
  },
  {
    name: 'Decision',
    cell: ({ decision, certainty, held }: PastEdge) => (
      <>
        <Cited decision={held ?? decision} />
        {certainty === 'unknown' && <span class="badge warn">outcome unknown</span>}
        {certainty === 'before' && <span class="badge warn">found, not made</span>}
      </>
    ),
  },
];

export function Pair({ source, destination }: { readonly source: string; readonly destination: string }) {
  return (
    <span class="pair">
      <a href={pathOf('/services', source)}>
        <Name text={source} />
      </a>
      <Icon name="arrow" />
      <a href={pathOf('/services', destination)}>
        <Name text={destination} />
      </a>
    </span>
  );
}

/** The decision, who made it, and the way to its proof. */
export function Cited({ decision: { id, reason, principal } }: { readonly decision: Citation }) {
  return (
    <>
      <a href={pathOf('/changes', id)}>{reason}</a>
      {principal !== undefined && (
        <>
          {' '}
          by <Name text={principal} most={60} />
        </>
      )}{' '}
      <a class="soft" href={`/audit/proof?${new URLSearchParams({ id })}`}>
        verify
      </a>
    </>
  );
}

export function accessText(access: PastEdge['access']): string {
  if (access === undefined) return 'nothing';
  if (access.kind === 'allow') return 'everything';
  if (access.kind === 'deny') return 'denied';
  const texts = (access.permissions ?? []).map(permissionText);
  return texts.length === 0 ? 'conditions of somebody else' : texts.join('; ');
}

type Head = Pick<AnswerTo<'/api/trail/who-can-call'>, 'at' | 'unknown'>;

/** Which instant the answer is about, and what the log cannot know of it. */
export function Limits({ head: { at, unknown } }: { readonly head: Head }) {
  return (
    <details class="soft">
      <summary>
        As of <time dateTime={at}>{at}</time>, by the log of decisions. What it cannot know: {unknown.length}{' '}
        {unknown.length === 1 ? 'thing' : 'things'}
      </summary>
      {unknown.map((sentence) => (
        <p key={sentence}>{cleanText(sentence)}</p>
      ))}
    </details>
  );
}
