import { isAclActive } from '../acl/apply/acl-state.js';
import { applyAcl } from '../acl/apply/apply-acl.js';
import type { AclChange, AclChangeContext } from '../acl/plan/acl-change.js';
import { planAclAdoption } from '../acl/plan/adopt-acl.js';
import { personOf, planPeople } from '../acl/plan/plan-people.js';
import { clientsWithAcl } from '../acl/state/acl-owners.js';
import { factsOfPeople, providersOfPeople } from '../acl/state/people-acl.js';
import { objectNamesOf, planClientAcl } from '../acl/state/plan-client-acl.js';
import type { AclObject } from '../model/acl.js';
import type { Cause } from '../model/cause.js';
import { compareText } from '../model/compare-text.js';
import { clientKey, formatKey, type Key, providerKey } from '../model/key.js';
import { parseGrantText } from '../plan/grant-text.js';
import { policyOf } from '../plan/mode.js';
import type { ClientId } from '../plan/world.js';
import { readPeople } from '../read/read-people.js';
import type { AdoptionDeps } from './deps.js';

/** The ACL objects of one client, or of a provider's people, that can be adopted. */
export interface AclAdoption {
  readonly key: Key;
  readonly changes: readonly AclChange[];
}

/** Every ACL object with a name of ours and without the mark that equals the desired one, by the last read. */
export function planAclAdoptions(
  deps: Pick<AdoptionDeps, 'world' | 'acl' | 'clock'>,
): readonly AclAdoption[] {
  if (!isAclActive(deps) || !policyOf(deps.world.mapping).writes) return [];
  const keys: readonly Key[] = [
    ...clientsWithAcl(deps).map(({ provider, clientId }) => clientKey(provider, clientId)),
    ...providersOfPeople(deps).map((provider) => providerKey(provider)),
  ];
  // Clients and people share policies: each is adopted once.
  const seen = new Set<string>();
  return keys.flatMap((key) => {
    const changes = adoptionOf(key, deps).filter(({ subject }) => !seen.has(subject));
    for (const { subject } of changes) seen.add(subject);
    return changes.length === 0 ? [] : [{ key, changes }];
  });
}

/**
 * Writes the marks of one adoption, from a fresh read. Objects that no longer equal the desired ones, or that are not among
 * `subjects`, are left unchanged. Resolves with the number of marks.
 */
export async function adoptAcl(
  { key, subjects }: { readonly key: Key; readonly subjects: ReadonlySet<string> },
  cause: Cause,
  deps: AdoptionDeps,
  signal: AbortSignal,
): Promise<number> {
  const { lastApplied } = await deps.journal.read(formatKey(key));
  await readAgain(key, deps, signal);
  const changes = adoptionOf(key, deps).filter(({ subject }) => subjects.has(subject));
  // Planned in this turn, and a mark takes and gives nothing: nothing that is learnt meanwhile keeps it from being written.
  await applyAcl({ key: formatKey(key), changes, cause, lastApplied }, deps, signal);
  return changes.length;
}

async function readAgain(key: Key, deps: AdoptionDeps, signal: AbortSignal): Promise<void> {
  if (key.kind === 'provider') {
    await readPeople(key.name, [], deps, signal);
    return;
  }
  if (key.kind !== 'client') return;
  const { name, policies } = objectNamesOf(idOf(key), deps);
  const read = deps.world.beginRead();
  deps.acl.cache.put([name], policies, await deps.consul.acl.readNamed([name], policies, signal), read);
}

function adoptionOf(key: Key, deps: Pick<AdoptionDeps, 'world' | 'acl' | 'clock'>): readonly AclChange[] {
  const { owner } = deps.world.mapping;
  if (key.kind === 'provider') {
    const facts = factsOfPeople(key.name, deps);
    const { desired } = planPeople(facts, deps.acl);
    const { actual, lastApplied } = facts;
    const why = (object: AclObject): AclChangeContext => ({ ...ADOPTED, ...personOf(object, facts) });
    return planAclAdoption({ owner, desired, actual, lastApplied, why });
  }
  if (key.kind !== 'client') return [];
  const id = idOf(key);
  const now = deps.clock.now();
  const { name, policies } = objectNamesOf(id, deps);
  const actual = deps.acl.cache.snapshot([name], policies);
  const lastApplied = deps.world.records.of(formatKey(key));
  const facts = {
    actual,
    lastApplied,
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  } as const;
  const { desired, client, opensBy } = planClientAcl(id, facts, deps, now);
  const scopes = [...new Set(opensBy.map((text) => parseGrantText(text).name))].toSorted(compareText);
  return planAclAdoption({
    owner,
    desired,
    actual,
    lastApplied,
    why: () => ({ ...ADOPTED, client, scopes }),
  });
}

const ADOPTED: AclChangeContext = { reason: 'Adopted', isInferred: false, scopes: [] };

function idOf(key: Extract<Key, { kind: 'client' }>): ClientId {
  return { provider: key.provider, clientId: key.value };
}
