import type { Config } from '../../../config/config.js';
import type { Consul, Manifests } from '../../consul/consul.js';
import { WITHOUT_MANIFEST } from '../../model/intention.js';
import { isManagedElsewhere, isOwned } from '../../plan/ownership.js';
import type { WorldState } from '../../state/world-state.js';
import { error, type Finding, namesText, notice, ok, tryRead, warning } from './finding.js';

const ID = 'manifests';

/** Whether the manifests can be read, and whether Consul has what they say. */
export async function manifestFindings(
  { consul: { target } }: Config,
  { intentions, manifests }: Pick<Consul, 'intentions' | 'manifests'>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (target === undefined || manifests === undefined) return [];
  const { why } = await tryRead(() => intentions.list(signal), signal);
  if (why !== undefined) {
    const message = `the intentions cannot be read: ${why}`;
    return [error(ID, message, 'correct it; scopemesh plans nothing until then')];
  }
  return [...brokenFindings(manifests.broken()), syncFinding(target.directory, manifests)];
}

function* brokenFindings(broken: readonly string[]): Iterable<Finding> {
  if (broken.length > 0)
    yield error(
      'manifests.broken',
      namesText(broken, '; '),
      'repair each; until then scopemesh holds every change of its destination, revocations too, and the other destinations go on',
    );
}

function syncFinding(directory: string, manifests: Manifests): Finding {
  const names = manifests.unsynced().map(({ name }) => name);
  if (names.length === 0) return ok(ID, `Consul has the intentions of the manifests in ${directory}`);
  return warning(
    'manifests.unsynced',
    `Consul does not have what the manifests in ${directory} say for ${namesText(names)}: what scopemesh opened or closed there is not in force`,
    'if it stays so, run scopemesh plan; check that the files reach Kubernetes, that the GitOps tool prunes deleted files, and why consul-k8s does not sync them: kubectl get serviceintentions,servicedefaults --all-namespaces',
  );
}

/** Entries that no plan may change, since consul-k8s makes them or no manifest has them. Call it after both sides were read. */
export function resourceFindings(world: WorldState, now: number): readonly Finding[] {
  return [...stuckFindings(world), ...kubernetesFindings(world, now)];
}

/** Through the API scopemesh could remove its sources beside those of others; consul-k8s refuses such an entry. */
function* stuckFindings({ entries, mapping }: WorldState): Iterable<Finding> {
  const names = [...entries.values()]
    .filter(({ meta }) => meta['external-source'] === WITHOUT_MANIFEST)
    .filter(({ sources }) => sources.some((source) => isOwned(mapping.owner, source)))
    .map(({ destination }) => destination.name);
  if (names.length > 0)
    yield error(
      'manifests.mixed',
      `Consul has entries with sources of scopemesh and of others that consul-k8s did not make: ${namesText(names.toSorted())}; scopemesh cannot revoke its sources there`,
      'move the sources of others elsewhere, or run scopemesh apply without consul.target until it removed its own',
    );
}

/** Where a scope opens something. */
function* kubernetesFindings(world: WorldState, now: number): Iterable<Finding> {
  const desiredNames = new Set(world.destinations(now).map(({ name }) => name));
  const names = [...world.entries.values()]
    .filter((entry) => isManagedElsewhere(entry) && entry.meta['external-source'] === 'kubernetes')
    .map(({ destination }) => destination.name)
    .filter((name) => desiredNames.has(name));
  if (names.length > 0)
    yield notice(
      'mesh.kubernetes',
      `consul-k8s makes the intentions of ${namesText(names.toSorted())} from ServiceIntentions resources, so scopemesh holds what it would change there (ManagedElsewhere)`,
      'delete these resources and let scopemesh write its own (consul.target), or add the services to guards.protected',
    );
}
