import type { DefaultPolicy, IntentionEntry, IntentionSource, ServiceName } from '../../model/intention.js';
import type { Selection } from '../../model/selection.js';
import { isOwned, isSourceOf } from '../../plan/ownership.js';
import type { ActualAccess } from '../../plan/plan.js';
import { fallbackIntention } from '../../plan/precedence.js';
import { serviceText } from '../../plan/world.js';
import type { EdgePlace } from '../edge.js';

/** Consul's intentions as they are now. */
export interface MeshNow {
  readonly owner: string;
  /** By `serviceText` of the destination. */
  readonly entries: ReadonlyMap<string, IntentionEntry>;
  readonly defaultPolicy: DefaultPolicy;
  /** What the instance is about; absent: everything. Entries of destinations outside are not read. */
  readonly select?: Selection | undefined;
}

/** Whether the instance is about this destination. Others are never named. */
export function isSelected({ select }: Pick<MeshNow, 'select'>, destination: ServiceName): boolean {
  return select?.hasService(destination) !== false;
}

/** What decides a call. */
export interface Effective {
  /** What it lets through in this mesh. */
  readonly access: ActualAccess;
  readonly writer: 'scopemesh' | 'foreign' | 'default';
  /** The deciding intention, as `source -> destination`, or `the default policy`. */
  readonly by: string;
}

/** What decides now. */
export function effectiveNow(mesh: MeshNow, source: ServiceName, destination: ServiceName): Effective {
  const exact = mesh.entries
    .get(serviceText(destination))
    ?.sources.find((each) => each.peer === undefined && isSourceOf(each, source));
  if (exact === undefined) return effectiveWithout(mesh, source, destination);
  return effectiveBy(mesh, exact, destination.name);
}

/** What would decide without an intention of exactly this pair. */
function effectiveWithout(mesh: MeshNow, source: ServiceName, destination: ServiceName): Effective {
  const [entry, wildcard] = [destination, { ...destination, name: '*' }].map((name) =>
    mesh.entries.get(serviceText(name)),
  );
  const wider = fallbackIntention(source, entry, wildcard);
  if (wider === undefined)
    return {
      access: { kind: mesh.defaultPolicy === 'allow' ? 'allow' : 'deny' },
      writer: 'default',
      by: 'the default policy',
    };
  const isOfWildcard = wildcard?.sources.includes(wider) === true;
  return effectiveBy(mesh, wider, isOfWildcard ? '*' : destination.name);
}

/** What decides if scopemesh has this for the pair. */
export function effectiveWith(mesh: MeshNow, edge: EdgePlace, ours: ActualAccess): Effective {
  const { source, destination } = namesOf(edge);
  if (ours === undefined) return effectiveWithout(mesh, source, destination);
  return { access: inMesh(mesh, ours), writer: 'scopemesh', by: `${source.name} -> ${destination.name}` };
}

export function namesOf({ source, destination, namespace, partition }: EdgePlace) {
  const toName = (name: string): ServiceName => ({ partition, namespace, name });
  return { source: toName(source), destination: toName(destination) };
}

function effectiveBy(mesh: MeshNow, source: IntentionSource, destination: string): Effective {
  return {
    access: inMesh(mesh, source.access),
    writer: isOwned(mesh.owner, source) ? 'scopemesh' : 'foreign',
    by: `${source.name} -> ${destination}`,
  };
}

/** Requests that no permission matches are left to the default policy. */
function inMesh({ defaultPolicy }: MeshNow, access: Exclude<ActualAccess, undefined>): ActualAccess {
  return defaultPolicy === 'allow' && access.kind === 'http' ? { kind: 'allow' } : access;
}
