import { compareText } from '../../../model/compare-text.js';
import { groupBy } from '../../../model/group-by.js';
import type { Mesh } from '../../answers.js';

export interface Vertex {
  readonly name: string;
  readonly group: string;
  readonly callers: number;
  readonly calls: number;
}

export type Sign = Mesh['signs'][number];

/** Who may call whom, or what keeps it from that. */
export interface Link {
  readonly key: string;
  readonly from: Vertex;
  readonly to: Vertex;
  readonly sign: Sign;
  readonly scopes: readonly string[];
}

export interface Net {
  readonly services: readonly Vertex[];
  readonly links: readonly Link[];
  readonly total: Mesh['total'];
}

/** Stands for every service, so it is a badge at each of its edges and no node. */
export const EVERYONE = '*';

/** The columns of an answer as things. */
export function toNet({ services: columns, groups, signs, grants, edges, total }: Mesh): Net {
  const services = columns.names.map((name, at) => ({
    name,
    group: groups[columns.groups[at] ?? -1] ?? '',
    callers: columns.callers[at] ?? 0,
    calls: columns.calls[at] ?? 0,
  }));
  const links = edges.from.flatMap((start, at) => {
    const from = services[start];
    const to = services[edges.to[at] ?? -1];
    const sign = signs[edges.signs[at] ?? -1];
    if (from === undefined || to === undefined || sign === undefined) return [];
    const scopes = grants[edges.grants[at] ?? -1] ?? [];
    return [{ key: keyOf(from.name, to.name), from, to, sign, scopes }];
  });
  return { services, links, total };
}

export function keyOf(from: string, to: string): string {
  return `${from} > ${to}`;
}

/** Whether one end is every service. */
export function isWildcard({ from, to }: Link): boolean {
  return from.name === EVERYONE || to.name === EVERYONE;
}

export function nameOf({ name }: Vertex): string {
  return name === EVERYONE ? 'every service' : name;
}

export function countsText({ callers, calls }: Vertex): string {
  return `${callers.toLocaleString()} in, ${calls.toLocaleString()} out`;
}

export interface Filter {
  /** A part of a name: what has it at one end stays. */
  readonly find: string;
  /** Names of looks that are not shown. */
  readonly hide: ReadonlySet<string>;
}

export function filtered(net: Net, { find, hide }: Filter): Net {
  if (find === '' && hide.size === 0) return net;
  const part = find.toLowerCase();
  const matches = ({ name }: Vertex) => name.toLowerCase().includes(part);
  const links = net.links.filter(
    ({ from, to, sign }) => !hide.has(lookOf(sign)) && (matches(from) || matches(to)),
  );
  const ends = new Set(links.flatMap(({ from, to }) => [from, to]));
  return { ...net, links, services: net.services.filter((each) => ends.has(each) || matches(each)) };
}

/** How an edge looks: its state, and for an open one whether it is for all requests. A class of the style, too. */
export function lookOf({ state, access }: Sign): Look {
  if (access === 'deny') return 'closed';
  return state === 'open' ? (access === 'all' ? 'all' : 'some') : state;
}

export type Look = 'all' | 'some' | 'held' | 'foreign' | 'break-glass' | 'closed';

/** Links between the same two things, as one. */
export interface Bundle {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly links: readonly Link[];
}

/** Links by the names of their ends. The bundle with the most links comes first. */
export function bundlesOf(links: readonly Link[], endOf: (end: Vertex) => string): readonly Bundle[] {
  return [...groupBy(links, ({ from, to }) => keyOf(endOf(from), endOf(to)))]
    .flatMap(([key, all]) => {
      const [first] = all;
      return first === undefined ? [] : [{ key, from: endOf(first.from), to: endOf(first.to), links: all }];
    })
    .sort((a, b) => b.links.length - a.links.length || compareText(a.key, b.key));
}

export function edgesText(number: number): string {
  return number === 1 ? '1 edge' : `${number.toLocaleString()} edges`;
}

/** How a bundle looks: what asks for attention comes before what is in order, with how many of all it is. */
export function bundleLook(links: readonly Link[]): { readonly look: Look; readonly label: string } {
  const looks = links.map(({ sign }) => lookOf(sign));
  const look = WORST.find((each) => looks.includes(each)) ?? 'closed';
  const like = looks.filter((each) => each === look).length;
  const all = links.length.toLocaleString();
  const isPart = MARKS[look] !== undefined && like < links.length;
  return { look, label: isPart ? `${like.toLocaleString()} of ${all}` : all };
}

const WORST: readonly Look[] = ['break-glass', 'held', 'all', 'some', 'foreign', 'closed'];

/** What a line says besides its colour. */
export const MARKS: Readonly<Partial<Record<Look, string>>> = {
  held: '‖',
  foreign: 'F',
  'break-glass': '!',
  closed: '×',
};
