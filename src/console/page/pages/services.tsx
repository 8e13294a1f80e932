import type { ServicePage as Answered, ServiceRow } from '../../answers.js';
import { AnswerView } from '../parts/answer-view.js';
import { Edges } from '../parts/edges.js';
import { FilterBox, FilterChoice, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { List, Pages } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Section } from '../parts/section.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { q: '', sort: 'name', cursor: '' };
const SORTS = [
  ['name', 'name'],
  ['-callers', 'most callers'],
  ['-calls', 'most calls'],
  ['-held', 'most held'],
] as const;

/** Every service of the mesh, with how many may call it. */
export function ServicesPage() {
  const [chosen, choose, set] = useChoices(DEFAULTS);
  const answer = useAnswer('/api/services', chosen);
  return (
    <>
      <Heading title="Services">Services</Heading>
      <Filters>
        <FilterBox label="Name" hint="part of a name" value={chosen.q} onChange={set('q')} />
        <FilterChoice
          label="Order"
          value={chosen.sort}
          options={SORTS}
          onChange={(sort) => choose({ sort, cursor: '' })}
        />
      </Filters>
      <AnswerView answer={answer}>
        {(services) => (
          <>
            <WorldNote world={services} />
            <List
              caption="Services"
              columns={COLUMNS}
              rows={services.rows}
              keyOf={({ name }) => name}
              empty={
                chosen.q === ''
                  ? 'The catalog of Consul has no service that scopemesh may see.'
                  : 'No service has this in its name.'
              }
            />
            <Pages shown={services.rows.length} total={services.total} next={services.next} />
          </>
        )}
      </AnswerView>
    </>
  );
}

const COLUMNS = [
  {
    name: 'Service',
    cell: ({ name }: ServiceRow) => (
      <a class="cover" href={pathOf('/services', name)}>
        <Name text={name} />
      </a>
    ),
  },
  { name: 'Callers', isNumber: true, cell: ({ callers }: ServiceRow) => callers },
  { name: 'Calls', isNumber: true, cell: ({ calls }: ServiceRow) => calls },
  {
    name: 'Held',
    isNumber: true,
    cell: ({ held }: ServiceRow) => (held === 0 ? <span class="soft">0</span> : <b class="warned">{held}</b>),
  },
  { name: 'Protocol', cell: ({ protocol }: ServiceRow) => <span class="soft">{protocol ?? 'unknown'}</span> },
];

const CLAIMS = {
  claimed: 'counts',
  refused: 'does not count',
  unrecorded: 'does not count yet',
  unknown: 'cannot be read',
  none: 'claims no client',
} as const;

/** One service: who may call it, whom it may call, and the client that it claims. */
export function ServicePage({ name }: { readonly name: string }) {
  const answer = useAnswer('/api/services/{name}', { name });
  const query = new URLSearchParams({ focus: `service:${name}` });
  return (
    <>
      <p class="crumbs">
        <a href="/services">Services</a>
      </p>
      <div class="titled">
        <Heading title={name}>
          <Name text={name} />
        </Heading>
        <a class="button" href={`/map?${query}`}>
          Map
        </a>
        <a class="button" href={pathOf('/reach', name)}>
          Reach
        </a>
        <a class="button" href={`/why?${new URLSearchParams({ from: name })}`}>
          Why is a call refused?
        </a>
      </div>
      <AnswerView answer={answer}>
        {(found) => (
          <>
            <WorldNote world={found} />
            <dl class="facts">
              {found.claims.map(({ client, kind, detail }) => (
                <ClaimFact key={`${client?.id} ${kind}`} {...{ client, kind, detail }} />
              ))}
              <dt>Protocol</dt>
              <dd>{found.protocol ?? 'unknown'}</dd>
            </dl>
            <Section title="May call it" count={Math.max(found.in.length, found.callers)}>
              <Edges edges={found.in} empty="No service may call it." />
              <Further name={name} left={found.callers - found.in.length} />
            </Section>
            <Section title="It may call" count={Math.max(found.out.length, found.calls)}>
              <Edges edges={found.out} empty="It may call no service." />
              <Further name={name} left={found.calls - found.out.length} />
            </Section>
            <p>
              <a href={`/changes?${new URLSearchParams({ service: name })}`}>What changed for this service</a>
              , <a href={`/audit?${new URLSearchParams({ name })}`}>who could call it at an instant</a>
            </p>
          </>
        )}
      </AnswerView>
    </>
  );
}

function ClaimFact({ client, kind, detail }: Pick<Answered['claims'][number], 'client' | 'kind' | 'detail'>) {
  return (
    <>
      <dt>Client</dt>
      <dd>
        {client !== null && (
          <a href={pathOf('/clients', client.provider, client.id)}>
            <Name text={client.id} isCode />
          </a>
        )}{' '}
        <span class={kind === 'refused' ? 'badge bad' : 'badge'}>{CLAIMS[kind]}</span>{' '}
        {detail !== null && <Name text={detail} most={160} />}
      </dd>
    </>
  );
}

/** The page of a service has its first edges alone. */
function Further({ name, left }: { readonly name: string; readonly left: number }) {
  if (left <= 0) return null;
  const list = `/map?${new URLSearchParams({ lens: 'list', focus: `service:${name}` })}`;
  return (
    <p class="soft">
      and {left.toLocaleString()} more, which are in <a href={list}>the list of the map</a>
    </p>
  );
}
