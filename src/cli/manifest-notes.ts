import type { Consul } from '../consul/consul.js';
import { compareText } from '../model/compare-text.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';
import { namesText } from './doctor/finding.js';

/** What a plan for manifests does not show by itself. Names of services, sorted. */
export interface ManifestNotes {
  /** Their protocol becomes http with the plan. */
  readonly protocols: readonly string[];
  /** Their entry in Consul is not yet as the files say, so Consul decides by an older one. */
  readonly unsynced: readonly string[];
}

/** Call it after the intentions were listed. Undefined if scopemesh writes to Consul. */
export async function manifestNotes(
  { changes }: Pick<FleetPlan, 'changes'>,
  { manifests }: Pick<Consul, 'manifests'>,
  signal: AbortSignal,
): Promise<ManifestNotes | undefined> {
  if (manifests === undefined) return undefined;
  const protocols = new Set<string>();
  for (const { after, source, resource } of changes) {
    const { destination: name } = resource;
    if (after?.kind !== 'http' || name === undefined || protocols.has(name)) continue;
    if (await manifests.lacksDefaults({ ...source, name }, signal)) protocols.add(name);
  }
  const unsynced = manifests.unsynced().map(({ name }) => name);
  return { protocols: [...protocols].toSorted(compareText), unsynced: unsynced.toSorted(compareText) };
}

export function* manifestTexts(notes: ManifestNotes | undefined): Iterable<string> {
  const { protocols = [], unsynced = [] } = notes ?? {};
  if (protocols.length > 0)
    yield `The protocol of ${namesText(protocols)} becomes http: connections of another protocol to it break.`;
  if (unsynced.length > 0)
    yield `Consul does not have the manifests of ${namesText(unsynced)} yet, and decides by what it has; see scopemesh doctor.`;
}
