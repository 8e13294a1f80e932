import { messageOf, SyncError } from '../errors.js';
import { compareText } from '../model/compare-text.js';
import { isOwned } from '../plan/ownership.js';
import { intentionSubject } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';
import type { WorldState } from '../state/world-state.js';
import { signOf } from './plan-view.js';
import { type Edge, type EdgeReach, type Reads, readReach } from './read-reach.js';

/** The edges of a report whose calls do not all arrive, or why that could not be read. */
export interface ReachReport {
  readonly edges: readonly EdgeReach[];
  readonly checked: number;
  /** Destinations whose intentions terminating gateways enforce. */
  readonly behind: readonly { readonly service: string; readonly gateways: readonly string[] }[];
  /** Edges beyond the limit of a report. */
  readonly unchecked: number;
  readonly trouble?: string;
}

/** The edges that a plan opens or changes, sorted. */
export function edgesOfPlan({ changes }: Pick<FleetPlan, 'changes'>): readonly Edge[] {
  return changes
    .flatMap(({ source, resource, verb, after }) => {
      const { destination: name } = resource;
      if (signOf({ verb, after }) === '-' || name === undefined) return [];
      return [{ source, destination: { ...source, name } }];
    })
    .toSorted(byText);
}

/** The owned edges that are open now, sorted. */
export function openEdges({ entries, mapping }: Pick<WorldState, 'entries' | 'mapping'>): readonly Edge[] {
  return [...entries.values()]
    .flatMap(({ destination, sources }) =>
      sources
        .filter((source) => isOwned(mapping.owner, source) && source.access.kind !== 'deny')
        .map(({ name, namespace, partition }) => ({ source: { name, namespace, partition }, destination })),
    )
    .toSorted(byText);
}

/** The owned edges that are open now and that a plan does not touch, sorted. */
export function untouchedEdges(
  { changes }: Pick<FleetPlan, 'changes'>,
  world: Pick<WorldState, 'entries' | 'mapping'>,
): readonly Edge[] {
  const touched = new Set(changes.map(({ subject }) => subject));
  return openEdges(world).filter(
    ({ source, destination }) => !touched.has(intentionSubject(destination, source.name)),
  );
}

/** The first of these edges. Never rejects because of Consul: a plan is worth showing without this. */
export async function reportReach(
  edges: readonly Edge[],
  /** Each edge costs up to six requests, besides one list of each kind of config entry. */
  most: number,
  reads: Reads,
  world: Pick<WorldState, 'catalog' | 'mapping'>,
  signal: AbortSignal,
): Promise<ReachReport> {
  const asked = edges.slice(0, most);
  const counts = { checked: asked.length, unchecked: edges.length - asked.length };
  try {
    const all = await readReach(asked, reads, world.catalog, signal, world.mapping.select !== undefined);
    const gatewaysOf = new Map(
      all.filter(({ behind }) => behind.length > 0).map((edge) => [edge.destination.name, edge.behind]),
    );
    const behind = [...gatewaysOf].map(([serviceName, gateways]) => ({ service: serviceName, gateways }));
    return { edges: all.filter(({ obstacles }) => obstacles.length > 0), behind, ...counts };
  } catch (error) {
    if (signal.aborted || !(error instanceof SyncError)) throw error;
    return { edges: [], behind: [], checked: 0, unchecked: edges.length, trouble: messageOf(error) };
  }
}

function byText(a: Edge, b: Edge): number {
  return compareText(textOf(a), textOf(b));
}

function textOf({ source, destination }: Edge): string {
  return `${serviceText(source)} ${serviceText(destination)}`;
}
