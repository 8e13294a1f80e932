import type { Reach } from '../../answers.js';
import { Picture, type PictureArrow, type PictureNode } from '../mesh/picture.js';
import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { List } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { quarantine: '' };
/** In one column of the picture. The list has all. */
const MOST = 40;

type Reached = Reach['reached'][number];

/** What a stolen credential could touch, and what of that a quarantine of the client ends. */
export function ReachPage({ name }: { readonly name: string }) {
  const [{ quarantine }, choose] = useChoices(DEFAULTS);
  const answer = useAnswer('/api/trail/blast-radius', { name });
  const isClosed = quarantine === 'on';
  return (
    <>
      <div class="titled">
        <Heading title={`Reach of ${name}`}>
          Reach of <Name text={name} />
        </Heading>
        <label>
          <input
            type="checkbox"
            checked={isClosed}
            onChange={({ currentTarget }) => choose({ quarantine: currentTarget.checked ? 'on' : '' })}
          />{' '}
          after a quarantine
        </label>
      </div>
      <AnswerView answer={answer}>{(reach) => <Shown reach={reach} isClosed={isClosed} />}</AnswerView>
    </>
  );
}

function Shown({ reach, isClosed }: { readonly reach: Reach; readonly isClosed: boolean }) {
  const { name, client, starts, reached, endsAtQuarantine } = reach;
  const rows = isClosed ? reached.filter(({ staysReachable }) => staysReachable) : reached;
  const ended = reached.length - reached.filter(({ staysReachable }) => staysReachable).length;
  return (
    <>
      <p>
        Who takes over {starts.join(', ')} reaches <b>{rows.length}</b> services
        {isClosed && ' after a quarantine'}.{' '}
        {client === undefined
          ? 'No client is behind it, so a quarantine ends nothing.'
          : `A quarantine of ${client.provider}/${client.clientId} ends ${endsAtQuarantine.length} edges: ${ended} services are then no longer in reach.`}
      </p>
      <Protected reach={reach} />
      <div class="map">
        <Picture
          name={`reach ${name}`}
          title={`What ${name} reaches, by steps`}
          nodes={nodesOf(reach)}
          arrows={arrowsOf(reach, isClosed)}
          isDense={false}
        />
      </div>
      <List
        caption="Services in reach"
        columns={COLUMNS}
        rows={rows}
        keyOf={({ service: reachedName }) => reachedName}
        empty="Nothing is in reach."
      />
      {client !== undefined && <Copy text={`scopemesh quarantine ${client.provider}/${client.clientId}`} />}
      <ul class="soft">
        {reach.unknown.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </>
  );
}

function Protected({ reach }: { readonly reach: Reach }) {
  if (reach.protected.length === 0) return null;
  return (
    <ul class="reasons">
      {reach.protected.map(({ service: guarded, path }) => (
        <li key={guarded} class={path === null ? 'good' : 'bad'}>
          <Icon name={path === null ? 'yes' : 'warn'} />
          <span>
            protected <b>{guarded}</b>: {path === null ? 'not in reach' : path.join(' → ')}
          </span>
        </li>
      ))}
    </ul>
  );
}

const COLUMNS = [
  {
    name: 'Service',
    cell: ({ service: reachedName }: Reached) => (
      <a href={pathOf('/services', reachedName)}>
        <Name text={reachedName} />
      </a>
    ),
  },
  { name: 'Steps', isNumber: true, cell: ({ hops }: Reached) => hops },
  { name: 'Way', cell: ({ path }: Reached) => path.join(' → ') },
  {
    name: 'Edge',
    cell: ({ edge }: Reached) => (edge.writer === 'foreign' ? 'of somebody else' : 'of scopemesh'),
  },
  {
    name: 'Quarantine',
    cell: ({ staysReachable }: Reached) =>
      staysReachable ? <b>stays in reach</b> : <span class="soft">ends</span>,
  },
  {
    name: 'Decision',
    cell: ({ edge: { decisionId } }: Reached) =>
      decisionId === undefined ? '' : <a href={pathOf('/changes', decisionId)}>decision</a>,
  },
];

function nodesOf({ starts, reached, ...reach }: Reach): readonly PictureNode[] {
  const isProtected = new Set(reach.protected.map(({ service: guarded }) => guarded));
  const counts = new Map<number, number>();
  return [
    ...starts.map(
      (each): PictureNode => ({
        id: each,
        text: each,
        note: 'taken over',
        href: pathOf('/services', each),
        kind: 'middle',
        layer: 0,
      }),
    ),
    ...reached.flatMap(({ service: reachedName, hops }): PictureNode[] => {
      const count = (counts.get(hops) ?? 0) + 1;
      counts.set(hops, count);
      if (count > MOST) return [];
      const note = isProtected.has(reachedName) ? 'protected' : hops === 1 ? '1 step' : `${hops} steps`;
      return [
        {
          id: reachedName,
          text: reachedName,
          note,
          href: pathOf('/reach', reachedName),
          kind: 'service',
          layer: hops,
        },
      ];
    }),
  ];
}

function arrowsOf({ reached }: Reach, isClosed: boolean): readonly PictureArrow[] {
  return reached.map(({ edge, staysReachable }) => ({
    id: `${edge.source} > ${edge.destination}`,
    from: edge.source,
    to: edge.destination,
    look:
      isClosed && !staysReachable
        ? 'closed'
        : edge.writer === 'foreign'
          ? 'foreign'
          : edge.access.kind === 'allow'
            ? 'all'
            : 'some',
    label: '',
    weight: 1,
    title: `${edge.source} to ${edge.destination}`,
    href: `/why?${new URLSearchParams({ from: edge.source, to: edge.destination })}`,
  }));
}
