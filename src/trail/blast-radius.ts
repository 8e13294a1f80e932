import { compareText } from '../model/compare-text.js';
import type { ActualAccess } from '../plan/plan.js';

/** An edge of the mesh that lets calls pass, of ours or of others. */
export interface ReachEdge {
  readonly source: string;
  readonly destination: string;
  readonly access: Exclude<ActualAccess, undefined>;
  /** Written for one of the client's scopes, so that a quarantine of the client ends it. */
  readonly endsAtQuarantine: boolean;
  /** `scopemesh`, or `foreign` for what others wrote: a quarantine does not end it. */
  readonly writer: 'scopemesh' | 'foreign';
  readonly decisionId?: string;
}

interface ReachedService {
  readonly service: string;
  /** 1: called directly. */
  readonly hops: number;
  /** The shortest way: a starting service, those between, and this one. */
  readonly path: readonly string[];
  readonly edge: ReachEdge;
  /** Whether it would still be reached after a quarantine. */
  readonly staysReachable: boolean;
}

export interface BlastRadius {
  readonly starts: readonly string[];
  /** By hops, then by name. */
  readonly reached: readonly ReachedService[];
  readonly protected: readonly { readonly service: string; readonly path: readonly string[] | null }[];
  /** The direct edges that a quarantine of the client would end. */
  readonly endsAtQuarantine: readonly ReachEdge[];
}

/**
 * Everything that a caller reaches who controls the starting services, and then each service that they reach. A hop counts
 * whatever its methods and paths are: a service that was taken over may call all that it may call itself.
 */
export async function blastRadius(
  starts: readonly string[],
  edgesFrom: (source: string) => Promise<readonly ReachEdge[]>,
  protectedServices: readonly string[],
): Promise<BlastRadius> {
  const known = new Map<string, readonly ReachEdge[]>();
  const edgesOf = async (source: string) => {
    const edges = known.get(source) ?? (await edgesFrom(source));
    known.set(source, edges);
    return edges;
  };
  const now = await walk(starts, edgesOf, () => true);
  // Only what the client itself opens ends: the services behind it keep what they have.
  const isStart = new Set(starts);
  const after = await walk(starts, edgesOf, (edge) => !(isStart.has(edge.source) && edge.endsAtQuarantine));
  const reached = [...now.values()]
    .map((each) => ({ ...each, staysReachable: after.has(each.service) }))
    .toSorted((a, b) => a.hops - b.hops || compareText(a.service, b.service));
  const direct = (await Promise.all(starts.map(edgesOf))).flat();
  return {
    starts: starts.toSorted(compareText),
    reached,
    protected: protectedServices.toSorted(compareText).map((serviceName) => ({
      service: serviceName,
      path: now.get(serviceName)?.path ?? null,
    })),
    endsAtQuarantine: direct.filter((edge) => edge.endsAtQuarantine),
  };
}

async function walk(
  starts: readonly string[],
  edgesOf: (source: string) => Promise<readonly ReachEdge[]>,
  passes: (edge: ReachEdge) => boolean,
): Promise<ReadonlyMap<string, Omit<ReachedService, 'staysReachable'>>> {
  const reached = new Map<string, Omit<ReachedService, 'staysReachable'>>();
  let front = starts
    .toSorted(compareText)
    .map((serviceName) => ({ service: serviceName, path: [serviceName] }));
  const seen = new Set(starts);
  for (let hops = 1; front.length > 0; hops++) {
    const next: typeof front = [];
    for (const { service, path } of front)
      for (const edge of (await edgesOf(service)).filter(passes)) {
        if (seen.has(edge.destination)) continue;
        seen.add(edge.destination);
        const way = [...path, edge.destination];
        reached.set(edge.destination, { service: edge.destination, hops, path: way, edge });
        next.push({ service: edge.destination, path: way });
      }
    front = next;
  }
  return reached;
}
