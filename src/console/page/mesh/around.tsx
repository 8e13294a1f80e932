import { useMemo } from 'preact/hooks';
import type { Mesh } from '../../answers.js';
import { isHub } from '../../hub.js';
import { Section } from '../parts/section.js';
import { pathOf } from '../query.js';
import { focusOn, mapWith } from './choices.js';
import {
  countsText,
  EVERYONE,
  filtered,
  type Link,
  lookOf,
  type Net,
  nameOf,
  toNet,
  type Vertex,
} from './net.js';
import { Picture, type PictureArrow, type PictureNode } from './picture.js';
import { Links, pick } from './tables.js';

/** In one column, so that the middle is in sight. The list has all of them. */
const MOST = 12;

interface Shown {
  readonly mesh: Mesh;
  readonly name: string;
  readonly hops: number;
  readonly hidden: ReadonlySet<string>;
}

/** One service in the middle, who may call it on the left, whom it may call on the right, and so on outwards. */
export function Around({ mesh, name, hops, hidden }: Shown) {
  const net = useMemo(() => filtered(toNet(mesh), { find: '', hide: hidden }), [mesh, hidden]);
  const middle = net.services.find((each) => each.name.toLowerCase() === name.toLowerCase());
  const drawn = useMemo(
    () => (middle === undefined ? undefined : draw(net, middle, hops)),
    [net, middle, hops],
  );
  if (middle === undefined || drawn === undefined)
    return <p class="empty">Consul has no service and no intention with this name.</p>;
  const callers = net.links.filter(({ to }) => to === middle);
  const called = net.links.filter(({ from }) => from === middle);
  const others = net.links.filter(({ from, to }) => from !== middle && to !== middle);
  return (
    <>
      <Picture
        name={`around ${middle.name} ${hops}`}
        title={`Who may call ${middle.name}, and whom it may call`}
        {...drawn}
      />
      <Section title="May call it" count={callers.length}>
        <Links links={callers} empty="No service may call it." />
      </Section>
      <Section title="It may call" count={called.length}>
        <Links links={called} empty="It may call no service." />
      </Section>
      {others.length > 0 && (
        <Section title="Further away" count={others.length}>
          <Links links={others} empty="" />
        </Section>
      )}
    </>
  );
}

function draw(net: Net, middle: Vertex, hops: number) {
  const nodes: PictureNode[] = [
    {
      id: middle.name,
      text: middle.name,
      note: noteOf(middle, net),
      href: pathOf('/services', middle.name),
      kind: 'middle',
      layer: 0,
    },
  ];
  const arrows: PictureArrow[] = [];
  for (const side of ['from', 'to'] as const) {
    const other = side === 'from' ? 'to' : 'from';
    const known = new Map([[middle, middle.name]]);
    for (let hop = 1; hop <= hops; hop++) {
      const layer = side === 'from' ? -hop : hop;
      const near = new Map(known);
      const links = net.links.filter((link) => near.has(link[other]) && !near.has(link[side]));
      const found = [...new Set(links.map((link) => link[side]))];
      for (const vertex of found.slice(0, MOST)) {
        const id = `${side} ${vertex.name}`;
        known.set(vertex, id);
        nodes.push({
          id,
          text: nameOf(vertex),
          note: noteOf(vertex, net),
          href: focusOn(vertex.name),
          kind: 'service',
          layer,
        });
      }
      for (const link of links) {
        const [start, end] = [known.get(link.from), known.get(link.to)];
        if (start !== undefined && end !== undefined)
          arrows.push(arrowOf(link, `${side} ${hop} ${link.key}`, start, end));
      }
      if (found.length > MOST)
        nodes.push({
          id: `${side} ~more ${hop}`,
          text: `and ${(found.length - MOST).toLocaleString()} more`,
          note: 'in the list below',
          href: mapWith({ lens: 'list' }),
          kind: 'more',
          layer,
        });
    }
  }
  return { nodes, arrows };
}

function noteOf(vertex: Vertex, { total }: Net): string {
  if (vertex.name === EVERYONE) return 'the wildcard *';
  return isHub(vertex.callers, total.services) ? `hub: ${countsText(vertex)}` : countsText(vertex);
}

/** One edge as an arrow. */
export function arrowOf(link: Link, id: string, from: string, to: string): PictureArrow {
  const { sign, scopes } = link;
  const methods = sign.methods ?? [];
  const asked = methods.length > 2 ? `${methods.length} methods` : methods.join(' ');
  return {
    id,
    from,
    to,
    look: lookOf(sign),
    label: `${asked}${sign.user ? ' with a user' : ''}`.trim(),
    weight: sign.access === 'all' ? 2 : 1,
    title: `${link.from.name} to ${link.to.name}: ${sign.state}${scopes.length === 0 ? '' : ` by ${scopes.join(', ')}`}`,
    href: pick(link),
  };
}
