import type { Principal } from '../model/cause.js';
import { parseKey } from '../model/key.js';
import type { Change, Hold, Plan } from '../plan/plan.js';
import type { KeyRecord, RecordedHold } from '../queue/journal.js';
import { holdKey, plainDecision } from './decide.js';
import { type ReconcilerDeps, stampOf } from './deps.js';
import { endedHold, fingerprintOf } from './holds.js';

/** What a person said of a held removal. It is about exactly that removal: another one has another fingerprint. */
interface Ruling {
  readonly verdict: 'approved' | 'rejected';
  readonly fingerprint: string;
  /** Of the `held` decision that was ruled on: a hold that ended and began anew is another one. */
  readonly decisionId: string;
  readonly by: Principal;
  /** ISO 8601. */
  readonly at: string;
}

export type RulingResult =
  | { readonly kind: 'ruled'; readonly hold: RecordedHold }
  /** No hold of this id stands: it never did, or it has ended. */
  | { readonly kind: 'unknown' }
  /** Held for a reason that no word can remove. */
  | { readonly kind: 'unsuitable'; readonly hold: RecordedHold };

/**
 * Rules on a hold by the id of its `held` decision. Only what the mass guard holds waits for a person; everything
 * else is held until what is wrong has been mended. An approval queues the destination, and its next plan passes the
 * removal once.
 */
export async function ruleOnHold(
  decisionId: string,
  verdict: Ruling['verdict'],
  by: Principal,
  deps: Pick<
    ReconcilerDeps,
    'facts' | 'journal' | 'queue' | 'clock' | 'source' | 'world' | 'newId' | 'onSettled'
  >,
): Promise<RulingResult> {
  const { holds } = await deps.journal.overview();
  const hold = holds.find((each) => each.decisionId === decisionId);
  if (hold === undefined) return { kind: 'unknown' };
  const key = parseKey(hold.key);
  if (hold.reason !== 'RevocationLimit' || key === undefined) return { kind: 'unsuitable', hold };
  const at = new Date(deps.clock.now()).toISOString();
  const ruling: Ruling = { verdict, fingerprint: hold.fingerprint, decisionId, by, at };
  await deps.facts.set(factOf(hold.subject), JSON.stringify(ruling));
  const cause = { kind: 'command' as const, receivedAt: at, principal: by };
  if (verdict === 'rejected') {
    const decision = plainDecision(
      {
        resource: endedHold(hold).resource,
        verb: 'rejected',
        subject: hold.subject,
        outcome: 'refused',
        reason: hold.reason,
        cause,
        detail: `${by.id} rejected this removal: the edge stays as it is`,
      },
      stampOf(deps),
    );
    await deps.journal.settle(hold.key, [decision]);
    deps.onSettled();
  }
  await deps.queue.add([{ key, cause, urgent: true }]);
  return { kind: 'ruled', hold };
}

/**
 * Lets pass what was approved, and says of the rest what was rejected. `told` are the key's recorded holds: a ruling
 * is good only while the hold that it is about stands, so that `used`, the holds that pass, must stay told until they
 * are written.
 */
export async function passApproved(
  unguarded: Plan,
  guarded: Plan,
  told: KeyRecord['holds'],
  deps: Pick<ReconcilerDeps, 'facts'>,
): Promise<{ readonly plan: Plan; readonly used: readonly Hold[] }> {
  const changes: Change[] = [...guarded.changes];
  const holds: Hold[] = [];
  const used: Hold[] = [];
  for (const hold of guarded.holds) {
    const ruling = hold.reason === 'RevocationLimit' ? await rulingOn(hold, told, deps) : undefined;
    const change = unguarded.changes.find((each) => each.subject === hold.subject);
    if (ruling?.verdict === 'approved' && change !== undefined) {
      changes.unshift({ ...change, isInferred: false, approvedBy: ruling.by });
      used.push(hold);
    } else if (ruling?.verdict === 'rejected') {
      holds.push({
        ...hold,
        detail: `${ruling.by.id} rejected this removal at ${ruling.at}; the edge is kept`,
      });
    } else holds.push(hold);
  }
  return { plan: { ...guarded, changes, holds }, used };
}

/** An approval is good for one removal. */
export async function forgetRulings(
  used: readonly Hold[],
  deps: Pick<ReconcilerDeps, 'facts'>,
): Promise<void> {
  for (const { subject } of used) await deps.facts.set(factOf(subject), '');
}

/** What a person said of a hold of the mass guard, if it is about exactly this one. */
export async function rulingOn(
  hold: Hold,
  told: KeyRecord['holds'],
  deps: { readonly facts: Pick<ReconcilerDeps['facts'], 'get'> },
): Promise<Ruling | undefined> {
  const standing = told.get(holdKey(hold));
  if (standing === undefined) return undefined;
  const ruling = parseRuling(await deps.facts.get(factOf(hold.subject)));
  const isAboutIt = ruling?.decisionId === standing.decisionId && ruling.fingerprint === fingerprintOf(hold);
  return isAboutIt ? ruling : undefined;
}

function factOf(subject: string): string {
  return `approval/${subject}`;
}

function parseRuling(text: string | undefined): Ruling | undefined {
  if (text === undefined || text === '') return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { verdict, fingerprint, decisionId, by, at }: Partial<Record<string, unknown>> = { ...value };
  if (verdict !== 'approved' && verdict !== 'rejected') return undefined;
  if (typeof fingerprint !== 'string' || typeof decisionId !== 'string' || typeof at !== 'string')
    return undefined;
  if (typeof by !== 'object' || by === null || !('id' in by) || typeof by.id !== 'string') return undefined;
  return { verdict, fingerprint, decisionId, by: { id: by.id }, at };
}
