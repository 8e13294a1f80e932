import { useState } from 'preact/hooks';
import { ACCESS } from '../parts/edges.js';
import { List } from '../parts/list.js';
import { Chips, Name } from '../parts/name.js';
import { StateBadge } from '../parts/sign.js';
import { asService, focusOn, mapWith } from './choices.js';
import type { Bundle, Link } from './net.js';

const AT_ONCE = 50;

/** The first rows of many, and a button for more. */
function First<T>({ rows, ...table }: Parameters<typeof List<T>>[0]) {
  const [most, setMost] = useState(AT_ONCE);
  return (
    <>
      <List {...table} rows={rows.slice(0, most)} />
      {rows.length > most && (
        <p class="pages soft">
          {most.toLocaleString()} of {rows.length.toLocaleString()} shown{' '}
          <button type="button" class="button" onClick={() => setMost(most * 4)}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}

const accessOf = ({ sign: { access, methods, user } }: Link) =>
  access === 'http'
    ? `${methods === null ? 'any method' : methods.join(' ')}${user ? ', with a user' : ''}`
    : ACCESS[access];

export const pick = ({ from, to }: Link) => mapWith({ from: asService(from.name), to: asService(to.name) });

/** The edges of a picture, one row each. */
export function Links({ links, empty }: { readonly links: readonly Link[]; readonly empty: string }) {
  return <First caption="Edges" columns={LINK_COLUMNS} rows={links} empty={empty} keyOf={({ key }) => key} />;
}

const linkTo = ({ name }: Link['from']) => (
  <a href={focusOn(name)}>
    <Name text={name} />
  </a>
);

const LINK_COLUMNS = [
  { name: 'Caller', cell: ({ from }: Link) => linkTo(from) },
  { name: 'may call', cell: ({ to }: Link) => linkTo(to) },
  { name: 'State', cell: ({ sign }: Link) => <StateBadge state={sign.state} /> },
  { name: 'Requests', cell: (link: Link) => accessOf(link) },
  { name: 'Scopes', cell: ({ scopes }: Link) => <Chips names={scopes} /> },
  { name: 'Reason', cell: (link: Link) => <a href={pick(link)}>why</a> },
];

interface Counted {
  readonly bundles: readonly Bundle[];
  readonly caption: string;
  readonly hrefOf: (bundle: Bundle) => string;
}

/** Edges counted by what they connect. */
export function Bundles({ bundles, caption, hrefOf }: Counted) {
  const columns = [
    { name: 'From', cell: ({ from }: Bundle) => <Name text={from} /> },
    { name: 'To', cell: ({ to }: Bundle) => <Name text={to} /> },
    { name: 'Edges', isNumber: true, cell: ({ links }: Bundle) => links.length.toLocaleString() },
    { name: 'Which', cell: (bundle: Bundle) => <a href={hrefOf(bundle)}>show</a> },
  ];
  const empty = 'There is no edge between them.';
  return <First caption={caption} columns={columns} rows={bundles} empty={empty} keyOf={({ key }) => key} />;
}
