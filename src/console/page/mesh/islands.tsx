import { useMemo } from 'preact/hooks';
import { compareText } from '../../../model/compare-text.js';
import { groupBy } from '../../../model/group-by.js';
import { arrowOf } from './around.js';
import { asGroup, asService, focusOn, isService, mapWith, nameIn } from './choices.js';
import {
  type Bundle,
  bundleLook,
  bundlesOf,
  countsText,
  EVERYONE,
  edgesText,
  isWildcard,
  type Link,
  type Net,
  nameOf,
  type Vertex,
} from './net.js';
import { isCrowded, Picture, type PictureArrow, type PictureNode, weightOf } from './picture.js';
import { Bundles, Links } from './tables.js';

/** In one picture. What is left out is counted below it, and in the table. */
const MOST_BOXES = 60;
const MOST_ARROWS = 200;

/** The edges whose both ends are a service: a wildcard would be an arrow to everything. */
const between = ({ links }: Net) => links.filter((link) => !isWildcard(link));

/** Every service with its name. For a small mesh. */
export function Everything({ net }: { readonly net: Net }) {
  const drawn = useMemo(() => {
    const nodes = net.services.filter(({ name }) => name !== EVERYONE).map((each) => serviceNode(each));
    const links = between(net);
    return {
      nodes,
      arrows: links.map((link) =>
        arrowOf(link, link.key, asService(link.from.name), asService(link.to.name)),
      ),
    };
  }, [net]);
  return (
    <>
      <Wildcards net={net} />
      <Picture
        name="everything"
        title="Every service, and who may call whom"
        {...drawn}
        isDense={isCrowded(drawn.arrows)}
      />
      <Links links={net.links} empty="No service may call another one." />
    </>
  );
}

/** Groups of services as boxes; one of them may be open, with its services. */
export function Islands({ net, open }: { readonly net: Net; readonly open: string }) {
  const idOf = (vertex: Vertex) => (vertex.group === open ? asService(vertex.name) : asGroup(vertex.group));
  const { nodes, arrows, bundles, left } = useMemo(() => {
    const links = between(net);
    const all = bundlesOf(links, idOf).filter(({ from, to }) => from !== to);
    const near = open === '' ? all : all.filter(({ from, to }) => isService(from) || isService(to));
    const boxes = boxesOf(net, open, near);
    const isShown = new Set(boxes.shown.map(({ id }) => id));
    const drawable = near.filter(({ from, to }) => isShown.has(from) && isShown.has(to));
    return {
      nodes: boxes.shown,
      arrows: drawable.slice(0, MOST_ARROWS).map(bundleArrow),
      bundles: near,
      left: { boxes: boxes.left, arrows: near.length - Math.min(drawable.length, MOST_ARROWS) },
    };
  }, [net, open]);
  return (
    <>
      <Wildcards net={net} />
      <Picture
        name={`islands ${open}`}
        title={
          open === '' ? 'Groups of services, and how many edges are between them' : `The services of ${open}`
        }
        nodes={nodes}
        arrows={arrows}
        isDense={isCrowded(arrows)}
      />
      {(left.boxes > 0 || left.arrows > 0) && (
        <p class="soft">
          and {left.boxes.toLocaleString()} more boxes, {left.arrows.toLocaleString()} more arrows: the table
          has them.
        </p>
      )}
      <Bundles
        caption="Edges between groups"
        bundles={bundles.map((bundle) => ({ ...bundle, from: nameIn(bundle.from), to: nameIn(bundle.to) }))}
        hrefOf={({ key }) => hrefOf(bundles.find((each) => each.key === key))}
      />
    </>
  );
}

const hrefOf = (bundle: Bundle | undefined) => mapWith({ from: bundle?.from ?? '', to: bundle?.to ?? '' });

/** The boxes with the most edges. */
function boxesOf(net: Net, open: string, bundles: readonly Bundle[]) {
  const weight = new Map<string, number>();
  for (const { from, to, links } of bundles)
    for (const id of [from, to]) weight.set(id, (weight.get(id) ?? 0) + links.length);
  const groups = groupBy(
    net.services.filter(({ name }) => name !== EVERYONE),
    ({ group }) => group,
  );
  const inside = new Map<string, number>();
  for (const { from, to } of net.links)
    if (from.group === to.group) inside.set(from.group, (inside.get(from.group) ?? 0) + 1);
  const all = [...groups].flatMap(([group, services]): PictureNode[] => {
    if (group === open) return services.map((each) => serviceNode(each));
    const id = asGroup(group);
    if (open !== '' && !weight.has(id)) return [];
    const count = services.length === 1 ? '1 service' : `${services.length.toLocaleString()} services`;
    const note = `${count}, ${(inside.get(group) ?? 0).toLocaleString()} inside`;
    return [{ id, text: group, note, href: mapWith({ open: group, from: '', to: '' }), kind: 'group' }];
  });
  const order = all.toSorted(
    (a, b) => (weight.get(b.id) ?? 0) - (weight.get(a.id) ?? 0) || compareText(a.id, b.id),
  );
  return { shown: order.slice(0, MOST_BOXES), left: Math.max(0, order.length - MOST_BOXES) };
}

function serviceNode(vertex: Vertex): PictureNode {
  const { name } = vertex;
  return { id: asService(name), text: name, note: countsText(vertex), href: focusOn(name), kind: 'service' };
}

function bundleArrow(bundle: Bundle): PictureArrow {
  const { key, from, to, links } = bundle;
  const [only] = links;
  if (links.length === 1 && only !== undefined && isService(from) && isService(to))
    return arrowOf(only, key, from, to);
  return {
    id: key,
    from,
    to,
    ...bundleLook(links),
    weight: weightOf(links.length),
    title: `${nameIn(from)} to ${nameIn(to)}: ${edgesText(links.length)}`,
    href: hrefOf(bundle),
  };
}

/** What holds for every service is said, not drawn. */
function Wildcards({ net }: { readonly net: Net }) {
  const links = net.links.filter(isWildcard);
  if (links.length === 0) return null;
  return (
    <p class="bands">
      {links.slice(0, 12).map((link) => (
        <a
          class="badge"
          key={link.key}
          href={mapWith({ from: asService(link.from.name), to: asService(link.to.name) })}
        >
          {sentenceOf(link)}
        </a>
      ))}
      {links.length > 12 && <span class="soft">and {links.length - 12} more wildcards</span>}
    </p>
  );
}

function sentenceOf({ from, to, sign }: Link): string {
  return `${nameOf(from)} ${sign.access === 'deny' ? 'may not call' : 'may call'} ${nameOf(to)}`;
}
