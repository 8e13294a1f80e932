import { Fragment } from 'preact';
import type { ClientRow } from '../../answers.js';
import { ActLink } from '../parts/acts.js';
import { AnswerView } from '../parts/answer-view.js';
import { Edges } from '../parts/edges.js';
import { FilterBox, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { List, Pages } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Section } from '../parts/section.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { q: '', cursor: '' };

/** Every OAuth client that the identity providers have. */
export function ClientsPage() {
  const [chosen, , set] = useChoices(DEFAULTS);
  const answer = useAnswer('/api/clients', chosen);
  return (
    <>
      <Heading title="Clients">Clients</Heading>
      <Filters>
        <FilterBox label="Client" hint="ID, name or service" value={chosen.q} onChange={set('q')} />
      </Filters>
      <AnswerView answer={answer}>
        {(clients) => (
          <>
            <WorldNote world={clients} />
            <List
              caption="Clients"
              columns={COLUMNS}
              rows={clients.rows}
              keyOf={keyOf}
              empty={
                chosen.q === ''
                  ? 'No identity provider has a client. Once a service claims one in its metadata, it is here.'
                  : 'No client has this in its ID, its name or its service.'
              }
            />
            <Pages shown={clients.rows.length} total={clients.total} next={clients.next} />
          </>
        )}
      </AnswerView>
    </>
  );
}

const MOST_SERVICES = 3;

const keyOf = ({ provider, id }: ClientRow) => `${provider} ${id}`;

const COLUMNS = [
  {
    name: 'Client',
    cell: ({ provider, id, name }: ClientRow) => (
      <>
        <a class="cover" href={pathOf('/clients', provider, id)}>
          <Name text={id} isCode most={40} />
        </a>
        {name !== null && (
          <>
            {' '}
            <span class="soft">
              <Name text={name} most={40} />
            </span>
          </>
        )}
      </>
    ),
  },
  {
    name: 'Services',
    cell: ({ services }: ClientRow) => (
      <>
        {services.length === 0 && <span class="soft">none</span>}
        {services.slice(0, MOST_SERVICES).map((name, at) => (
          <Fragment key={name}>
            {at > 0 && ', '}
            <Name text={name} />
          </Fragment>
        ))}
        {services.length > MOST_SERVICES && (
          <span class="soft"> and {(services.length - MOST_SERVICES).toLocaleString()} more</span>
        )}
      </>
    ),
  },
  { name: 'Kind', cell: ({ kind }: ClientRow) => kind },
  { name: 'Scopes', isNumber: true, cell: ({ scopes }: ClientRow) => scopes },
  { name: 'Edges', isNumber: true, cell: ({ edges }: ClientRow) => edges },
  { name: 'State', cell: (row: ClientRow) => <ClientState row={row} /> },
];

function ClientState({
  row: { enabled, blocked },
}: {
  readonly row: Pick<ClientRow, 'enabled' | 'blocked'>;
}) {
  if (blocked !== null)
    return (
      <span class="badge bad">
        <Name text={blocked} />
      </span>
    );
  if (enabled === null) return <span class="badge warn">cannot be read</span>;
  return enabled ? <span class="badge good">enabled</span> : <span class="badge bad">disabled</span>;
}

/** One client: the services that claim it, and what each of its scopes opens. */
export function ClientPage({ provider, id }: { readonly provider: string; readonly id: string }) {
  const answer = useAnswer('/api/clients/{provider}/{clientId}', { provider, clientId: id });
  return (
    <>
      <p class="crumbs">
        <a href="/clients">Clients</a> <Name text={provider} />
      </p>
      <div class="titled">
        <Heading title={id}>
          <Name text={id} />
        </Heading>
        {answer.value !== undefined && <ClientState row={answer.value} />}
        {answer.value?.blocked === 'ClientQuarantined' ? (
          <a class="button" href={pathOf('/waiting', `quarantine:${provider}/${id}`)}>
            End the quarantine
          </a>
        ) : (
          <ActLink act="quarantine" about={{ provider, id }}>
            Quarantine
          </ActLink>
        )}
      </div>
      <AnswerView answer={answer}>
        {(client) => (
          <>
            <WorldNote world={client} />
            <dl class="facts">
              {client.name !== null && (
                <>
                  <dt>Name</dt>
                  <dd>
                    <Name text={client.name} most={120} />
                  </dd>
                </>
              )}
              <dt>Kind</dt>
              <dd>{client.kind}</dd>
              <dt>Services</dt>
              <dd>
                {client.claims.length === 0 && 'No service claims it.'}
                {client.claims.map(({ service: claiming, kind, detail }) => (
                  <div key={claiming}>
                    <a href={pathOf('/services', claiming)}>
                      <Name text={claiming} />
                    </a>{' '}
                    {kind !== 'claimed' && <span class="badge warn">{kind}</span>}{' '}
                    {detail !== null && <Name text={detail} most={160} />}
                  </div>
                ))}
              </dd>
            </dl>
            {client.scopes.length === 0 && <p class="empty">The client has no scope, so it opens nothing.</p>}
            {client.scopes.map((scope) => (
              <section key={`${scope.api} ${scope.name}`}>
                <h2>
                  <Name text={scope.name} isCode />{' '}
                  {scope.api !== null && (
                    <span class="soft">
                      of <Name text={scope.api} />
                    </span>
                  )}{' '}
                  {scope.limited && <span class="badge warn">not for its kind</span>}
                </h2>
                <Edges
                  edges={scope.edges}
                  empty={
                    scope.limited
                      ? 'The mapping never opens anything for a client of this kind by this scope.'
                      : 'This scope opens nothing.'
                  }
                />
              </section>
            ))}
            {client.others.length > 0 && (
              <Section title="By none of its scopes">
                <Edges edges={client.others} empty="" />
              </Section>
            )}
            <p>
              <a href={`/what-if?${new URLSearchParams({ client: `${provider}/${id}` })}`}>
                What if it had another scope
              </a>
              , <a href={`/changes?${new URLSearchParams({ client: id })}`}>what changed for this client</a>,{' '}
              <a href={`/audit?${new URLSearchParams({ about: 'holdings', name: `${provider}/${id}` })}`}>
                what it could call at an instant
              </a>
            </p>
          </>
        )}
      </AnswerView>
    </>
  );
}
