import type { Edge } from '../../answers.js';
import { pathOf } from '../query.js';
import { ActLink } from './acts.js';
import { Icon } from './icon.js';
import { Chips, ClientLink, Name } from './name.js';
import { StateBadge } from './sign.js';

interface Listed {
  readonly edges: readonly Edge[];
  /** What an empty list means. */
  readonly empty: string;
}

/** Who may call whom, one row each: the pair, what opens it, what it may ask for, and its state. */
export function Edges({ edges, empty }: Listed) {
  if (edges.length === 0) return <p class="empty">{empty}</p>;
  return (
    <ul class="rows">
      {edges.map((edge) => (
        <li key={`${edge.from} ${edge.to} ${edge.client?.id}`} class={`row edge ${edge.state}`}>
          <EdgeRow edge={edge} />
        </li>
      ))}
    </ul>
  );
}

function EdgeRow({ edge }: { readonly edge: Edge }) {
  const { from, to, client, scopes, state, reason, decision } = edge;
  return (
    <>
      <div class="pair">
        <a href={pathOf('/services', from)}>
          <Name text={from} />
        </a>
        <Icon name="arrow" />
        <a href={pathOf('/services', to)}>
          <Name text={to} />
        </a>
      </div>
      <StateBadge state={state} />
      <p class="access">{accessText(edge)}</p>
      <p class="soft grow">
        <Chips names={scopes} />
        {client !== null && (
          <>
            {' '}
            client <ClientLink client={client} />
          </>
        )}
        {reason !== null && <> {reason}</>}
      </p>
      <p class="links">
        <a href={whyOf(edge)}>why</a>
        {state !== 'closed' && (
          <ActLink act="deny" about={{ source: from, destination: to }}>
            deny
          </ActLink>
        )}
        {decision !== null && <a href={pathOf('/changes', decision)}>decision</a>}
      </p>
    </>
  );
}

/** The question that this edge answers. */
function whyOf({ from, to, permissions }: Edge): string {
  const [first] = permissions;
  const query = new URLSearchParams({ from, to });
  if (first?.methods?.[0] !== undefined) query.set('method', first.methods[0]);
  if (first !== undefined && first.path !== null) query.set('path', first.path.replace(/\*+$/, ''));
  return `/why?${query}`;
}

/** What an edge allows, but for its permissions. */
export const ACCESS = {
  all: 'everything',
  deny: 'denied',
  none: 'nothing',
  other: 'conditions of somebody else',
};

function accessText({ access, permissions }: Edge) {
  if (access !== 'http') return ACCESS[access];
  return permissions.map(({ methods, path, user }, at) => (
    <span class="permission" key={at}>
      <b>{methods === null ? 'any method' : methods.join(' ')}</b>{' '}
      <Name text={path ?? 'any path'} isCode={path !== null} />
      {user && ' with a user'}
    </span>
  ));
}
