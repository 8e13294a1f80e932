import { useState } from 'preact/hooks';
import { List } from '../parts/list.js';
import { Chips, Name } from '../parts/name.js';
import { StateBadge } from '../parts/sign.js';
import { asService, focusOn, mapWith } from './choices.js';
import type { Bundle, Link } from './net.js';

const AT_ONCE = 50;

/** The first rows of many, and a button for more. */
function useFirst<T>(rows: readonly T[]) {
  const [most, setMost] = useState(AT_ONCE);
  const more = rows.length > most && (
    <p class="pages soft">
      {most.toLocaleString()} of {rows.length.toLocaleString()} shown{' '}
      <button type="button" class="button" onClick={() => setMost(most * 4)}>
        Show more
      </button>
    </p>
  );
  return [rows.slice(0, most), more] as const;
}

const accessOf = ({ sign: { access, methods, user } }: Link) =>
  access === 'http'
    ? `${methods === null ? 'any method' : methods.join(' ')}${user ? ', with a user' : ''}`
    : ACCESS[access];

const ACCESS = { all: 'everything', deny: 'denied', none: 'nothing', other: 'conditions of somebody else' };

export const pick = ({ from, to }: Link) => mapWith({ from: asService(from.name), to: asService(to.name) });

/** The edges of a picture, one row each. */
export function Links({ links, empty }: { readonly links: readonly Link[]; readonly empty: string }) {
  const [rows, more] = useFirst(links);
  if (links.length === 0) return <p class="empty">{empty}</p>;
  return (
    <>
      <List caption="Edges" columns={LINK_COLUMNS} rows={rows} keyOf={({ key }) => key} />
      {more}
    </>
  );
}

const LINK_COLUMNS = [
  {
    name: 'Caller',
    cell: ({ from }: Link) => (
      <a href={focusOn(from.name)}>
        <Name text={from.name} />
      </a>
    ),
  },
  {
    name: 'may call',
    cell: ({ to }: Link) => (
      <a href={focusOn(to.name)}>
        <Name text={to.name} />
      </a>
    ),
  },
  { name: 'State', cell: ({ sign }: Link) => <StateBadge state={sign.state} /> },
  { name: 'Requests', cell: (link: Link) => accessOf(link) },
  {
    name: 'Scopes',
    cell: ({ scopes }: Link) => <Chips names={scopes} />,
  },
  { name: 'Reason', cell: (link: Link) => <a href={pick(link)}>why</a> },
];

interface Counted {
  readonly bundles: readonly Bundle[];
  readonly caption: string;
  readonly hrefOf: (bundle: Bundle) => string;
}

/** Edges counted by what they connect. */
export function Bundles({ bundles, caption, hrefOf }: Counted) {
  const [rows, more] = useFirst(bundles);
  const columns = [
    { name: 'From', cell: ({ from }: Bundle) => <Name text={from} /> },
    { name: 'To', cell: ({ to }: Bundle) => <Name text={to} /> },
    { name: 'Edges', isNumber: true, cell: ({ links }: Bundle) => links.length.toLocaleString() },
    { name: 'Which', cell: (bundle: Bundle) => <a href={hrefOf(bundle)}>show</a> },
  ];
  if (bundles.length === 0) return <p class="empty">There is no edge between them.</p>;
  return (
    <>
      <List caption={caption} columns={columns} rows={rows} keyOf={({ key }) => key} />
      {more}
    </>
  );
}
