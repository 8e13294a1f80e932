import { isAclActive } from '../acl/apply/acl-state.js';
import { applyAcl } from '../acl/apply/apply-acl.js';
import { type AclChange, aclSubject, nameOf } from '../acl/plan/acl-change.js';
import { type AclEjection, isSameAclObject, planAclEjection } from '../acl/plan/plan-acl-ejection.js';
import { draftOf } from '../apply/decision-drafts.js';
import { journaledWrite } from '../apply/journaled-write.js';
import { writeJwtProvider } from '../apply/jwt-provider-write.js';
import { SyncError } from '../errors.js';
import type { AclObject, AclSnapshot } from '../model/acl.js';
import type { Cause } from '../model/cause.js';
import type { IntentionSource, ServiceName } from '../model/intention.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import { destinationKey, formatKey, leftObjectsKey, providerKey } from '../model/key.js';
import { breakGlassState } from '../plan/break-glass.js';
import { isInEffect } from '../plan/deny.js';
import { wasWritten } from '../plan/foreign-source.js';
import { type GuardedJwtProvider, jwtProviderSubject } from '../plan/jwt-provider-change.js';
import { isOurJwtProvider, providerOfEntry, withoutMark } from '../plan/jwt-requirement.js';
import { parseLastAppliedText } from '../plan/last-applied.js';
import { hasOurName } from '../plan/object-names.js';
import { denyOfDescription, endOfDescription, isOwnedDescription } from '../plan/ownership.js';
import { intentionSubject } from '../plan/plan.js';
import { type Ejection, planEjections } from '../plan/plan-ejection.js';
import { type OperatorDeps, stampOf } from './deps.js';
import { isClosed } from './follow-break-glass.js';
import { rulingsKey } from './ruling-store.js';

/** The mark of one jwt-provider that goes, or why it must stay. */
export type JwtProviderEjection =
  | { readonly name: string; readonly change: GuardedJwtProvider; readonly why?: undefined }
  | { readonly name: string; readonly change?: undefined; readonly why: string };

const ALTERED =
  'somebody gave the jwt-provider content that scopemesh does not know; remove the keys scopemesh and scopemesh-provider from its Meta manually';

/** Everything in Consul with the mark of this owner, the KV aside. */
export interface Marks {
  readonly intentions: readonly Ejection[];
  readonly acl: readonly AclEjection[];
  readonly jwtProviders: readonly JwtProviderEjection[];
  /** The subjects that were read without a mark. */
  readonly unmarked: ReadonlySet<string>;
}

const ATTEMPTS = 3;

/** Reads all of it, whatever `select` has. Throws if a part cannot be read. */
export async function readMarks(deps: OperatorDeps, signal: AbortSignal): Promise<Marks> {
  const { consul, world } = deps;
  const { owner } = world.mapping;
  const [entries, snapshot, providers] = await Promise.all([
    consul.intentions.list(signal),
    isAclActive(deps) ? consul.acl.read((name) => hasOurName(owner, name), signal) : undefined,
    listJwtProviders(deps, signal),
  ]);
  const intentions = planEjections(owner, entries);
  const acl = snapshot === undefined ? [] : planAclEjection(owner, snapshot);
  const unmarked = new Set([
    ...entries.flatMap(({ destination, sources }) =>
      sources.filter(({ peer }) => peer === undefined).map(({ name }) => intentionSubject(destination, name)),
    ),
    ...(snapshot === undefined ? [] : aclSubjects(snapshot)),
    ...providers.flatMap((each) => (isOurJwtProvider(owner, each) ? [] : jwtProviderSubject(each.name))),
  ]);
  for (const { changes } of intentions) for (const { subject } of changes) unmarked.delete(subject);
  for (const { change } of acl) unmarked.delete(change.subject);
  return { intentions, acl, jwtProviders: planJwtProviderEjection(owner, providers), unmarked };
}

function aclSubjects({ policies, roles, authMethods, bindingRules }: AclSnapshot): readonly string[] {
  const all: readonly AclObject[] = [
    ...policies.map(({ object }) => ({ kind: 'acl-policy', object }) as const),
    ...roles.map(({ object }) => ({ kind: 'acl-role', object }) as const),
    ...authMethods.map(({ object }) => ({ kind: 'acl-auth-method', object }) as const),
    ...bindingRules.map(({ object }) => ({ kind: 'acl-binding-rule', object }) as const),
  ];
  return all.map((each) => aclSubject(each.kind, ...nameOf(each)));
}

/**
 * Reads the jwt-providers of a Consul that has them. A token that may not read them is no error if none was ever written:
 * then it needs no such rule.
 */
async function listJwtProviders(
  deps: OperatorDeps,
  signal: AbortSignal,
): Promise<readonly ExistingJwtProvider[]> {
  const { version } = await deps.consul.inspect(signal);
  if (/^v?(0|1\.(\d|1[0-5]))\./.test(version)) return [];
  try {
    return await deps.consul.jwtProviders.list(signal);
  } catch (error) {
    const isDenied = error instanceof SyncError && error.code === 'ERR_CONSUL_DENIED';
    const written = isDenied ? await writtenSubjects(deps) : [];
    if (!isDenied || written.some((subject) => subject.startsWith('jwt-provider/'))) throw error;
    return [];
  }
}

function planJwtProviderEjection(
  owner: string,
  all: readonly ExistingJwtProvider[],
): readonly JwtProviderEjection[] {
  return all
    .filter((before) => isOurJwtProvider(owner, before))
    .map((before) => {
      const { name, content } = before;
      if (content === 'other') return { name, why: ALTERED };
      const change = {
        name,
        verb: 'updated' as const,
        before,
        after: withoutMark(content),
        subject: jwtProviderSubject(name),
        reason: 'Ejected' as const,
        narrows: false,
        widens: false,
        isInferred: false,
      };
      return { name, change };
    });
}

/** Takes the marks from one entry, by compare-and-set against a fresh read. Resolves with their number. */
export async function ejectEntry(
  destination: ServiceName,
  cause: Cause,
  deps: OperatorDeps,
  signal: AbortSignal,
): Promise<number> {
  const { consul, world } = deps;
  const key = formatKey(destinationKey(destination.name, destination.namespace, destination.partition));
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const entry = await consul.intentions.read(destination, signal);
    const [ejection] = planEjections(world.mapping.owner, entry === undefined ? [] : [entry]);
    if (entry === undefined || ejection === undefined) return 0;
    if (ejection.why !== undefined)
      throw new SyncError('ERR_CONSUL_REJECTED', ejection.why, { retriable: false });
    const stamp = stampOf(deps);
    const writeId = stamp.newId();
    const drafts = ejection.changes.map((change) => {
      const draft = draftOf(change, cause, entry.modifyIndex, stamp);
      return { ...draft, after: draft.before, writeId };
    });
    const send = (stop: AbortSignal) =>
      consul.intentions.write(destination, entry, ejection.sources, entry.modifyIndex, stop);
    const end = await journaledWrite({ key, requests: [{ drafts, send }] }, deps, signal);
    if (end.kind === 'written') return drafts.length;
    if (end.kind === 'refused') throw end.error;
  }
  throw new SyncError('ERR_CONSUL_CONFLICT', 'another writer keeps changing this entry', { retriable: true });
}

/**
 * Takes the mark from one ACL object. It has no compare-and-set, so it is read again just before. Resolves with 0 if the
 * mark is gone.
 */
export async function ejectAcl(
  planned: AclChange,
  cause: Cause,
  deps: OperatorDeps,
  signal: AbortSignal,
): Promise<number> {
  const { consul, world, journal } = deps;
  const { owner } = world.mapping;
  const [name = ''] = planned.resource.name?.split('/') ?? [];
  const isPolicy = planned.resource.kind === 'acl-policy';
  const snapshot = await consul.acl.readNamed(isPolicy ? [] : [name], isPolicy ? [name] : [], signal);
  const found = planAclEjection(owner, snapshot).find(({ change }) => isSameAclObject(change, planned));
  if (found === undefined) return 0;
  const { change, why } = found;
  if (why !== undefined) throw new SyncError('ERR_CONSUL_REJECTED', why, { retriable: false });
  const key = leftObjectsKey(owner);
  const { lastApplied } = await journal.read(key);
  // A person asked for it, while no daemon runs: there is no plan that could change meanwhile.
  await applyAcl({ key, changes: [change], cause, lastApplied }, deps, signal);
  return 1;
}

export async function ejectJwtProvider(
  change: GuardedJwtProvider,
  cause: Cause,
  deps: OperatorDeps,
  signal: AbortSignal,
): Promise<number> {
  const provider = change.before === undefined ? undefined : providerOfEntry(change.before);
  const key = formatKey(providerKey(provider ?? change.name));
  const end = await writeJwtProvider(key, change, [], cause, deps, signal);
  if (end.kind === 'refused') throw end.error;
  return 1;
}

/** Throws while a break-glass grant is open, or its edge, or one whose mark has its end: without the mark nothing closes that. */
export function refuseOpenBreakGlass(
  { intentions }: Pick<Marks, 'intentions'>,
  { world, clock }: Pick<OperatorDeps, 'world' | 'clock'>,
): void {
  const now = clock.now();
  const open = world.breakGlass.all.filter(
    (each) =>
      each.openedAt !== undefined &&
      (breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)) === 'open' ||
        !isClosed(each, { world, clock })),
  );
  // Of a lost store.
  const marked = markedEdges({ intentions }, world.mapping.owner, ({ access, description }) =>
    access.kind === 'deny' ? undefined : endOfDescription(description),
  );
  if (open.length + marked.length === 0) return;
  const ids = [...open.map(({ id }) => id), ...marked].join(', ');
  throw new SyncError(
    'ERR_CONFIG',
    `break-glass grants have open edges, which nothing would close without their marks: ${ids}; start the daemon. End each grant with scopemesh grant end. Stop the daemon when scopemesh grant list no longer shows them`,
    { retriable: false },
  );
}

/**
 * Throws while a deny is in effect, or an edge has the mark of one: without the mark nothing ends it. Of a deny that is not
 * written yet, the edge would stay open.
 */
export function refuseOpenDenies(
  { intentions }: Pick<Marks, 'intentions'>,
  { world, clock }: Pick<OperatorDeps, 'world' | 'clock'>,
): void {
  const edges = new Set([
    ...world.denies.all
      .filter((each) => isInEffect(each, clock.now()))
      .map(({ about }) => `${about.source} -> ${about.destination}`),
    ...markedEdges({ intentions }, world.mapping.owner, ({ access, description }) =>
      access.kind === 'deny' ? denyOfDescription(description) : undefined,
    ),
  ]);
  if (edges.size === 0) return;
  throw new SyncError(
    'ERR_CONFIG',
    `a person denied these edges, and without its mark nothing ends a deny: ${[...edges].join(', ')}; start the daemon. End each deny with scopemesh deny SOURCE DESTINATION --end. Stop the daemon when scopemesh explain SOURCE DESTINATION no longer names the deny`,
    { retriable: false },
  );
}

/** The edges whose mark says something. */
function markedEdges(
  { intentions }: Pick<Marks, 'intentions'>,
  owner: string,
  said: (source: IntentionSource) => unknown,
): readonly string[] {
  return intentions.flatMap(({ entry: { destination, sources } }) =>
    sources
      .filter((each) => isOwnedDescription(owner, each.description) && said(each) !== undefined)
      .map(({ name }) => `${name} -> ${destination.name}`),
  );
}

/** The subjects of what was written and not removed, by the journal. */
export async function writtenSubjects({
  journal,
  world,
}: Pick<OperatorDeps, 'journal' | 'world'>): Promise<readonly string[]> {
  const records = [...(await journal.readAll())].filter(([key]) => key !== rulingsKey(world.mapping.owner));
  return records.flatMap(([, { lastApplied }]) =>
    [...lastApplied].flatMap(([subject, text]) =>
      subject.startsWith('intention/') && !wasWritten(parseLastAppliedText(text)) ? [] : [subject],
    ),
  );
}

/**
 * Forgets that these were written, so that a later run finds objects of somebody else and not lost marks. What Consul did
 * not show stays recorded: the answer may be another cluster's.
 */
export async function forgetWritten(
  { journal }: Pick<OperatorDeps, 'journal'>,
  subjects: ReadonlySet<string>,
): Promise<void> {
  for (const [key, { lastApplied }] of await journal.readAll()) {
    const gone = [...lastApplied.keys()].filter((subject) => subjects.has(subject));
    if (gone.length > 0)
      await journal.settle(key, [], { lastApplied: new Map(gone.map((subject) => [subject, null])) });
  }
}
