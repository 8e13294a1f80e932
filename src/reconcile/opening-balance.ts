import { createHash } from 'node:crypto';
import { encodeTime } from 'ulid';
import { isAclActive } from '../acl/apply/acl-state.js';
import { aclSubject, nameOf } from '../acl/plan/acl-change.js';
import { ownedAcl } from '../acl/plan/owned-acl.js';
import { decidedPerson } from '../acl/plan/person.js';
import { clientOf } from '../acl/state/acl-owners.js';
import { rememberedScopes } from '../acl/state/plan-client-acl.js';
import { type FoundObject, foundClient, foundDecision, recordedEdges } from '../apply/record-found.js';
import { announceSettled } from '../apply/settle.js';
import { SyncError } from '../errors.js';
import type { AclObject } from '../model/acl.js';
import type { DraftDecision } from '../model/decision.js';
import { clientKey, destinationKey, formatKey } from '../model/key.js';
import { namesOf } from '../plan/grant-text.js';
import { readAllAcl } from '../read/read-acl.js';
import { type PrepareDeps, stampOf } from './deps.js';

/** The log that has the opening balance; followed by the instant of its beginning while it is being recorded. */
const NAME = 'decisions/opened';
const BATCH = 400;
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * A decision log that is new to the store gets one `found` decision for each edge that has a record, and for each ACL object of
 * ours, before anything else. An edge without a record gets its decision together with its record. The ID of a decision follows
 * from its subject, so a run after a crash repeats nothing. An object with an open write is left out: its recovery decides.
 */
export async function recordOpeningBalance(deps: PrepareDeps, signal: AbortSignal): Promise<void> {
  const { journal, keyValues, logName, logger, space } = deps;
  const noted = await keyValues.get(NAME);
  if (noted === logName || space.isLow()) return;
  const [log, instant] = noted?.split(' ') ?? [];
  const begunMs = log === logName && instant !== undefined ? Number(instant) : deps.clock.now();
  await keyValues.set(NAME, `${logName} ${begunMs}`);
  const records = await journal.readAll();
  const open = new Set([...records.values()].flatMap(({ pending }) => pending.map(subjectOf)));
  const { objects, isComplete } = await ownedObjects(deps, signal);
  const found = [...edges(deps), ...objects].filter(({ subject }) => !open.has(subject));
  const stamp = stampOf(deps);
  for (let from = 0; from < found.length; from += BATCH) {
    const decisions = found.slice(from, from + BATCH).map((each) => {
      const newId = () => idOf(logName, begunMs, each.subject);
      return foundDecision(each, { ...stamp, newId });
    });
    await journal.settle(NAME, decisions);
    announceSettled(decisions, deps);
  }
  if (found.length > 0)
    logger.info({ log: logName, found: found.length }, 'the decision log begins with what Consul has');
  if (isComplete) await keyValues.set(NAME, logName);
}

function* edges({ world }: PrepareDeps): Iterable<FoundObject> {
  for (const entry of world.entries.values()) {
    const { name, namespace, partition } = entry.destination;
    const key = formatKey(destinationKey(name, namespace, partition));
    yield* recordedEdges(entry, world.records.of(key), world);
  }
}

async function ownedObjects(
  deps: PrepareDeps,
  signal: AbortSignal,
): Promise<{ readonly objects: readonly FoundObject[]; readonly isComplete: boolean }> {
  if (!isAclActive(deps)) return { objects: [], isComplete: true };
  try {
    await readAllAcl(deps, signal);
  } catch (error) {
    // Intentions do not wait for a permission about ACL objects. The next start tries again.
    if (error instanceof SyncError && error.code === 'ERR_CONSUL_DENIED')
      return { objects: [], isComplete: false };
    throw error;
  }
  const { cache } = deps.acl;
  const { policies, roles, authMethods, bindingRules } = ownedAcl(
    deps.world.mapping.owner,
    cache.snapshot(cache.owned.keys(), cache.policies.keys()),
  );
  const all: readonly AclObject[] = [
    ...[...policies.values()].map(({ object }) => ({ kind: 'acl-policy' as const, object })),
    ...[...roles.values()].map(({ object }) => ({ kind: 'acl-role' as const, object })),
    ...[...authMethods.values()].map(({ object }) => ({ kind: 'acl-auth-method' as const, object })),
    ...bindingRules.map(({ object }) => ({ kind: 'acl-binding-rule' as const, object })),
  ];
  return { objects: all.flatMap((each) => toFound(each, deps)), isComplete: true };
}

function toFound(each: AclObject, { world, acl }: PrepareDeps): readonly FoundObject[] {
  const { owner, select } = world.mapping;
  const names = nameOf(each);
  const [name = '', role = name] = names;
  const client = each.kind === 'acl-policy' ? undefined : clientOf(acl.cache.of(name), owner);
  if (client !== undefined && select?.hasClient(client) === false) return [];
  const person = decidedPerson(owner, { name: role, description: each.object.description });
  const records = client && world.records.of(formatKey(clientKey(client.provider, client.clientId)));
  const scopes = records && rememberedScopes(records, aclSubject('acl-role', name));
  return [
    {
      subject: aclSubject(each.kind, ...names),
      resource: { kind: each.kind, name: names.join('/') },
      content: each.object,
      scopes: namesOf(scopes ?? []),
      ...(client === undefined ? {} : { client: foundClient(client, world) }),
      ...(person === undefined ? {} : { person }),
    },
  ];
}

function subjectOf({ subject }: DraftDecision): string {
  return subject;
}

/** A ULID. */
function idOf(log: string, begunMs: number, subject: string): string {
  const bytes = createHash('sha256').update(`${log}\n${subject}`).digest().subarray(0, 16);
  return encodeTime(begunMs, 10) + [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
