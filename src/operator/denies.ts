import { z } from 'zod';
import { isoInstant } from '../clock.js';
import { type Cause, PERSONS_REASON, type Principal } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { jsonIn } from '../model/json-in.js';
import { plainDecision } from '../model/plain-decision.js';
import {
  type Deny,
  destinationOf,
  LONGEST_DENY_MS,
  type RuledEdge,
  type RulingEnd,
  sourceOf,
} from '../model/ruling.js';
import { isSourceName } from '../plan/claim-status.js';
import { denyText, isInEffect } from '../plan/deny.js';
import { policyOf } from '../plan/mode.js';
import { denyOfDescription, isOwnedHere, isSourceOf } from '../plan/ownership.js';
import { isPlainServiceName } from '../plan/pattern.js';
import { intentionResource, intentionSubject } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { serviceText } from '../plan/world.js';
import { safeParse } from '../safe-parse.js';
import { inputOf } from '../state/fleet.js';
import { commandOf, stampOf } from './deps.js';
import { countApproval, forgetFirstApproval, sameText } from './first-approvals.js';
import {
  follow,
  forgetRuling,
  inTurn,
  type RulingDeps,
  type RulingKind,
  recordRuling,
  replan,
} from './ruling-store.js';
import { StoredPrincipal } from './stored-principal.js';

/** At once, so that a plan stays cheap. */
const MOST = 100;

const place = () => z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/);
const instant = () => z.number().int().min(0).max(8.64e15);

/** What a person names. */
export const DENY_FIELDS = {
  source: z.string().refine(isSourceName, 'must be the name of a service'),
  destination: z.string().refine(isPlainServiceName, 'must be a plain service name (a-z, 0-9 and -)'),
  reason: z.string().regex(PERSONS_REASON),
};
const { reason, ...NAMES } = DENY_FIELDS;

const Stored = z.strictObject({
  about: z.strictObject({ ...NAMES, partition: place(), namespace: place() }),
  reason,
  by: StoredPrincipal,
  since: instant(),
  until: instant(),
  endedAt: instant().exactOptional(),
});

/** The mark of a deny in Consul says until when too, for the case that the store is lost. */
export const DENIES: RulingKind<Deny> = {
  name: 'deny',
  parse: (text) => safeParse(Stored, jsonIn(text)).data,
  recordOf: ({ about }) => recordOfDeny(about),
  knownTo: ({ denies }) => denies,
  replan: ({ before, after }, why, deps) =>
    replan(
      [...before, ...after].map(({ about }) => destinationOf(about)),
      why,
      deps,
      { loses: true },
    ),
};

/** Closes the edge at once. Another deny of the same edge prolongs it, and never shortens it. */
export function startDeny(
  about: RuledEdge,
  { reason, forMs }: { readonly reason: string; readonly forMs: number },
  by: Principal,
  deps: RulingDeps,
): Promise<RulingEnd<Deny>> {
  return inTurn(DENIES, 'command', deps, async (now) => {
    const known = find(about, deps) ?? markedDeny(about, now, deps);
    const until = Math.max(
      now + Math.min(forMs, LONGEST_DENY_MS),
      known?.endedAt === undefined ? (known?.until ?? 0) : 0,
    );
    const deny: Deny = { about, reason, by, since: now, until };
    const refused = refusalOf(deny, deps);
    if (refused !== undefined) return refused;
    await settle(deny, { verb: 'held', reason: 'PersonDenied', cause: commandOf(by, deps) }, deps);
    return { kind: 'done', ruling: deny };
  });
}

/** Ends it before its time. What it closed opens by the next plan, as far as anything grants it. */
export function endDeny(
  about: RuledEdge,
  reason: string,
  by: Principal,
  deps: RulingDeps,
): Promise<RulingEnd<Deny>> {
  return inTurn(DENIES, 'command', deps, async (now) => {
    const known = find(about, deps) ?? markedDeny(about, now, deps);
    if (known === undefined || !isInEffect(known, now))
      return { kind: 'unknown', why: 'no deny of this edge is in effect' };
    const resource = intentionResource(destinationOf(about), about.source);
    const subject = recordOfDeny(about);
    // It may open the edge: so many persons as for every release.
    const approval = await countApproval({ subject, of: identityOfDeny(known), resource }, by, deps);
    if (approval.kind === 'first') return { kind: 'first', ruling: known };
    if (approval.kind === 'same') return { kind: 'refused', why: sameText(approval.by) };
    await forgetFirstApproval(subject, deps);
    const deny: Deny = { ...known, endedAt: now };
    await settle(
      deny,
      { verb: 'released', reason: 'DenyEnded', cause: commandOf(by, deps), why: reason },
      deps,
    );
    return { kind: 'done', ruling: deny };
  });
}

/** What identifies a deny for an approval of its end. */
export function identityOfDeny({ since, until }: Deny): string {
  return `${since} ${until}`;
}

/** Forgets what is over, and lets it be planned. */
export async function followDenies(deps: RulingDeps): Promise<void> {
  const { world, clock, metrics } = deps;
  await inTurn(DENIES, 'resync', deps, async (now) => {
    for (const deny of world.denies.all.filter(({ until }) => until <= now)) {
      // First, so that a store that fails does not keep the edge closed.
      await replan([destinationOf(deny.about)], 'resync', deps, { loses: true });
      const cause: Cause = { kind: 'resync', receivedAt: isoInstant(clock) };
      if (deny.endedAt === undefined)
        await settle(deny, { verb: 'released', reason: 'DenyEnded', cause, isForgotten: true }, deps);
      else await forgetRuling(DENIES, deny, deps);
    }
    metrics.gauge('scopemesh_denies', world.denies.all.filter((each) => isInEffect(each, now)).length);
  });
}

function find(about: RuledEdge, { world }: Pick<RulingDeps, 'world'>): Deny | undefined {
  return world.denies.all.find((each) => subjectOf(each.about) === subjectOf(about));
}

/** The deny that only Consul has, after the loss of a store. */
function markedDeny(about: RuledEdge, now: number, { world }: Pick<RulingDeps, 'world'>): Deny | undefined {
  const named = { about, reason: 'known only by its mark in Consul', by: { id: 'unknown' }, since: 0 };
  const entry = world.entries.get(serviceText(destinationOf(about)));
  const from = sourceOf(about);
  const ours = entry?.sources.find((each) => isSourceOf(each, from) && isOwnedHere(world.mapping, each));
  const until = ours === undefined ? undefined : denyOfDescription(ours.description)?.until;
  return until === undefined || until - now > LONGEST_DENY_MS ? undefined : { ...named, until };
}

/** What somebody else made, which scopemesh never changes. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  'ForeignSource',
  'MarkLost',
  'LegacyEntry',
  'ManagedElsewhere',
]);

/** Why a deny would not close the edge. */
function refusalOf(
  deny: Deny,
  { world, clock }: Pick<RulingDeps, 'world' | 'clock'>,
): RulingEnd<Deny> | undefined {
  const refuse = (why: string): RulingEnd<Deny> => ({ kind: 'refused', why });
  const { mapping } = world;
  const policy = policyOf(mapping);
  if (!policy.writes || !policy.plansNarrowing)
    return refuse(`mode is ${mapping.mode}, which closes nothing; a deny needs mode: enforce`);
  const [from, to] = [sourceOf(deny.about), destinationOf(deny.about)];
  if (mapping.select?.hasService(to) === false || mapping.select?.hasPlace(to) === false)
    return refuse('the source or the destination is outside select; ask the instance that manages it');
  const now = clock.now();
  const inForce = world.denies.all.filter((each) => isInEffect(each, now));
  if (find(deny.about, { world }) === undefined && inForce.length >= MOST)
    return refuse(`there are ${MOST} denies; end one, or put the client in quarantine`);
  const input = inputOf(world, to, now);
  // Before the first read nothing is known of names, and a deny does not wait for one.
  if (world.catalog !== undefined && world.hasEntries)
    for (const name of [from, to]) {
      const isKnown =
        world.catalog.services.some((each) => serviceText(each.name) === serviceText(name)) ||
        world.entries.has(serviceText(name)) ||
        input.entry?.sources.some((each) => isSourceOf(each, name)) === true;
      if (!isKnown)
        return { kind: 'unknown', why: `Consul has no service and no intention of the name ${name.name}` };
    }
  const subject = subjectOf(deny.about);
  const details = planDestination({ ...input, denies: { rulings: [deny], now } }).holds.flatMap((hold) =>
    hold.subject === subject && OF_OTHERS.has(hold.reason) ? `${hold.reason}: ${hold.detail}` : [],
  );
  return details.length === 0 ? undefined : refuse([...new Set(details)].join('; '));
}

/** The record and its decision in one step, then the plan. */
async function settle(
  deny: Deny,
  change: {
    readonly verb: 'held' | 'released';
    readonly reason: 'PersonDenied' | 'DenyEnded';
    readonly cause: Cause;
    readonly why?: string;
    /** Its time is over. */
    readonly isForgotten?: true;
  },
  deps: RulingDeps,
): Promise<void> {
  const { logger } = deps;
  const { verb, reason, cause, why, isForgotten } = change;
  const { source, destination } = deny.about;
  const subject = subjectOf(deny.about);
  const detail = why === undefined ? denyText(deny) : `${denyText(deny)}; ended: ${why}`;
  const decision = plainDecision(
    {
      resource: intentionResource(destinationOf(deny.about), source),
      verb,
      subject,
      outcome: 'observed',
      reason,
      cause,
      detail,
    },
    stampOf(deps),
  );
  await recordRuling(DENIES, deny, { decision, ...definedFields({ isForgotten }) }, deps);
  logger.warn(
    { source, destination, reason, detail },
    verb === 'held' ? 'a person denies an edge' : 'the deny of an edge ended',
  );
  await follow(DENIES, cause.kind === 'command' ? 'command' : 'resync', deps);
}

function subjectOf(about: RuledEdge): string {
  return intentionSubject(destinationOf(about), about.source);
}

/** Not the subject of the edge, which has a record of its own. */
export function recordOfDeny(about: RuledEdge): string {
  return `deny/${subjectOf(about)}`;
}
