import { type Gone, settleGone } from '../../apply/record-gone-edges.js';
import type { Cause } from '../../model/cause.js';
import { isRecord } from '../../model/is-record.js';
import { parseKey } from '../../model/key.js';
import { clientName, hasOurName } from '../../plan/object-names.js';
import type { PlannedClient } from '../../plan/plan.js';
import type { AclSweepDeps } from '../../reconcile/deps.js';
import { isAclSubject } from '../apply/acl-draft.js';
import { aclSubject, nameOf } from '../plan/acl-change.js';
import { type DesiredAcl, objectsOf } from '../plan/login.js';
import { decidedPerson } from '../plan/person.js';
import type { AclCache } from '../state/acl-cache.js';
import { plannedPeople } from '../state/people-acl.js';
import { rememberedScopes, scopesKey } from '../state/plan-client-acl.js';
import { planAcl } from './plan-clients.js';

const DETAIL =
  'this object is not in Consul any more, and the store has no record of its removal; nothing wants it any more, so scopemesh does not put it back';

/**
 * Records that roles, methods and binding rules are gone that a job wrote and that nothing wants any more. What is wanted is
 * put back by its job, and a policy may be the job of another client to remove. Call it after a complete read and its removals.
 */
export async function recordGoneAcl(cause: Cause, deps: AclSweepDeps): Promise<void> {
  const { acl, journal, world } = deps;
  for (const text of [...world.records.keys()]) {
    if (goneOf(text, world.records.of(text), deps).length === 0) continue;
    const owner = await ownerOf(text, deps);
    const { lastApplied, pending } = await journal.read(text);
    // A job may have removed them meanwhile, or one that failed may have before.
    if (owner === undefined || acl.isUnderWay(text)) continue;
    const open = new Set(pending.map(({ subject }) => subject));
    const wanted = new Set(objectsOf(owner.desired).map((each) => aclSubject(each.kind, ...nameOf(each))));
    const gone = goneOf(text, lastApplied, deps).filter(
      ({ subject }) => !open.has(subject) && !wanted.has(subject),
    );
    const forgotten = gone.flatMap(({ subject }) => [subject, scopesKey(subject)]);
    const { client } = owner;
    await settleGone(
      text,
      gone.map((each) => ({ ...each, ...(client === undefined ? {} : { client }) })),
      new Map(forgotten.filter((each) => lastApplied.has(each)).map((each) => [each, null])),
      cause,
      deps,
    );
  }
}

/** Who has these objects, and what should be there; undefined for another key, and while that is unknown. */
async function ownerOf(
  text: string,
  deps: AclSweepDeps,
): Promise<{ readonly desired: DesiredAcl; readonly client?: PlannedClient } | undefined> {
  const key = parseKey(text);
  if (key?.kind === 'provider') {
    const { desired, isUnknown } = plannedPeople(key.name, deps);
    return isUnknown ? undefined : { desired };
  }
  if (key?.kind !== 'client' || key.by !== 'clientId') return undefined;
  const [planned] = await planAcl([{ provider: key.provider, clientId: key.value }], deps);
  return planned === undefined || planned.plan.isUnknown ? undefined : planned.plan;
}

/** The objects under today's names that the key wrote and the last read did not show. */
function goneOf(
  text: string,
  lastApplied: ReadonlyMap<string, string>,
  { acl: { cache }, world: { mapping } }: AclSweepDeps,
): readonly Gone[] {
  const key = parseKey(text);
  if (key?.kind !== 'client' && key?.kind !== 'provider') return [];
  const name =
    key.kind === 'client'
      ? clientName(mapping.owner, { provider: key.provider, clientId: key.value }).toLowerCase()
      : undefined;
  return [...lastApplied].flatMap(([subject, written]): readonly Gone[] => {
    if (!isAclSubject(subject) || subject.includes(' ')) return [];
    const [kind, ...parts] = subject.split('/').map(decodeURIComponent);
    const [first = '', second = ''] = parts;
    const isOfKey = name === undefined ? hasOurName(mapping.owner, first) : first.toLowerCase() === name;
    if (!isOfKey || !isGone(kind, first, second, cache)) return [];
    const before: unknown = JSON.parse(written);
    const description = isRecord(before) && typeof before.description === 'string' ? before.description : '';
    const person = decidedPerson(mapping.owner, { name: parts.at(-1) ?? '', description });
    return [
      {
        subject,
        resource: { kind, name: parts.join('/') },
        ...(person === undefined ? {} : { person }),
        scopes: rememberedScopes(lastApplied, subject)?.map((scope) => scope.name) ?? [],
        before,
        detail: DETAIL,
      },
    ];
  });
}

function isGone(
  kind: string | undefined,
  name: string,
  bindName: string,
  cache: Pick<AclCache, 'of'>,
): kind is 'acl-role' | 'acl-auth-method' | 'acl-binding-rule' {
  const { role, authMethod, bindingRules } = cache.of(name);
  switch (kind) {
    case 'acl-role':
      return role === undefined;
    case 'acl-auth-method':
      return authMethod === undefined;
    case 'acl-binding-rule':
      return !bindingRules.some(({ object }) => object.bindName.toLowerCase() === bindName.toLowerCase());
    default:
      return false;
  }
}
