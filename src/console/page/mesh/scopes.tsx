import { useMemo } from 'preact/hooks';
import { compareText } from '../../../model/compare-text.js';
import { groupBy } from '../../../model/group-by.js';
import { mapWith } from './choices.js';
import { bundleLook, edgesText, isWildcard, type Link, type Net } from './net.js';
import { isCrowded, Picture, type PictureArrow, type PictureNode, weightOf } from './picture.js';
import { Links } from './tables.js';

/** In one column. What is left out is counted at its end. */
const MOST = 24;
/** With more of them the groups of the called services are shown. */
const MOST_NAMED = 40;
const NO_SCOPE = 'no scope';

/** Who calls by which scope, and what it opens: what would go if the scope went. */
export function Scopes({ net, scope }: { readonly net: Net; readonly scope: string }) {
  const { links, nodes, arrows } = useMemo(() => draw(net, scope), [net, scope]);
  return (
    <>
      {scope !== '' && (
        <p>
          Without <b>{scope}</b> {links.filter(({ scopes }) => scopes.length === 1).length} of these{' '}
          {links.length} edges would close: the others have another scope too.{' '}
          <a class="button" href={mapWith({ scope: '' })}>
            All scopes
          </a>
        </p>
      )}
      <Picture
        name={`scopes ${scope}`}
        title="Groups of callers, the scopes that open edges, and what they open"
        nodes={nodes}
        arrows={arrows}
        isDense={isCrowded(arrows)}
      />
      <Links links={links} empty="No edge is opened by a scope." />
    </>
  );
}

/** One link for each of its scopes. */
interface Strand {
  readonly caller: string;
  readonly scope: string;
  readonly called: string;
  readonly link: Link;
}

function draw(net: Net, scope: string) {
  const links = net.links.filter(
    (link) => !isWildcard(link) && (scope === '' || link.scopes.includes(scope)),
  );
  const called = new Set(links.map(({ to }) => to));
  const strands = links.flatMap((link): Strand[] =>
    (link.scopes.length === 0 ? [NO_SCOPE] : link.scopes)
      .filter((each) => scope === '' || each === scope)
      .map((each) => ({
        caller: link.from.group,
        scope: each,
        called: called.size > MOST_NAMED ? link.to.group : link.to.name,
        link,
      })),
  );
  const columns = (['caller', 'scope', 'called'] as const).map((kind, layer) =>
    columnOf(strands, kind, layer),
  );
  const shown = new Set(columns.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  const arrows = [...arrowsOf(strands, 'caller', 'scope'), ...arrowsOf(strands, 'scope', 'called')].filter(
    ({ from, to }) => shown.has(from) && shown.has(to),
  );
  return { links, nodes: columns.flatMap(({ nodes }) => nodes), arrows };
}

type Kind = 'caller' | 'scope' | 'called';

function columnOf(
  strands: readonly Strand[],
  kind: Kind,
  layer: number,
): { readonly nodes: readonly PictureNode[] } {
  const order = [...groupBy(strands, (strand) => strand[kind])].sort(
    ([a, first], [b, second]) => second.length - first.length || compareText(a, b),
  );
  const nodes = order.slice(0, MOST).map(
    ([text, { length: count }]): PictureNode => ({
      id: `${kind} ${text}`,
      text,
      note: edgesText(count),
      href: mapWith(kind === 'scope' ? { scope: text } : { lens: 'groups', open: text, scope: '' }),
      kind: kind === 'scope' ? 'service' : 'group',
      layer,
    }),
  );
  const left = order.length - nodes.length;
  if (left === 0) return { nodes };
  const more: PictureNode = {
    id: `${kind} ~more`,
    text: `and ${left.toLocaleString()} more`,
    note: 'in the table',
    href: mapWith({ lens: 'list' }),
    kind: 'more',
    layer,
  };
  return { nodes: [...nodes, more] };
}

function arrowsOf(strands: readonly Strand[], start: Kind, end: Kind): readonly PictureArrow[] {
  const found = groupBy(strands, (strand) => JSON.stringify([strand[start], strand[end]]));
  return [...found].flatMap(([key, all]): PictureArrow[] => {
    const [first] = all;
    if (first === undefined) return [];
    return [
      {
        id: `${start} ${key}`,
        from: `${start} ${first[start]}`,
        to: `${end} ${first[end]}`,
        ...bundleLook(all.map(({ link }) => link)),
        weight: weightOf(all.length),
        title: `${first[start]} to ${first[end]}: ${edgesText(all.length)}`,
        href: mapWith({ scope: first.scope }),
      },
    ];
  });
}
