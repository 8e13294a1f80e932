import { recordHolds } from '../../apply/record-holds.js';
import { recoverWrites } from '../../apply/recover-writes.js';
import { INTERRUPTED } from '../../apply/settle.js';
import { formatKey, type Key } from '../../model/key.js';
import { issuedUntil, type RevocationOrder } from '../../model/order.js';
import type { Job } from '../../model/trigger.js';
import { policyOf } from '../../plan/mode.js';
import type { AclJobDeps } from '../../reconcile/deps.js';
import { isAclActive } from '../apply/acl-state.js';
import { endedTokensText, endTokens } from '../apply/end-tokens.js';
import { isDraftOf, sessionDraft, sessionHold } from '../apply/session-draft.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { tokensToEnd } from '../plan/tokens.js';
import { sessionSubject, tokensOfSession } from '../state/session-tokens.js';

type ProviderKey = Extract<Key, { kind: 'provider' }>;

/**
 * Carries out orders about ended sessions, without a read of the directory.
 * - An order that names a person ends the Consul tokens of that person's roles that were issued before its instant, or
 *   shortly after it.
 * - An order that names a client at which people sign in ends all such tokens of the client's method, because Consul does
 *   not record for whom they were issued.
 * - An order that names neither ends the tokens of all people.
 *
 * An order stays with its job until it is done. Carried out again it finds no token and makes no decision.
 */
export async function endSessions(
  key: ProviderKey,
  job: Job,
  deps: AclJobDeps,
  signal: AbortSignal,
): Promise<void> {
  if (!isAclActive(deps)) return;
  const carryOut = policyOf(deps.world.mapping).removes ? endSession : reportForbidden;
  const failures: unknown[] = [];
  for (const order of sessionOrders(job))
    await tolerateDenied(() => carryOut(formatKey(key), order, deps, signal), deps).catch(
      (error: unknown) => {
        failures.push(error);
      },
    );
  if (failures.length > 0) throw failures[0];
}

/** The job's orders, without duplicates. */
function sessionOrders(job: Job): readonly RevocationOrder[] {
  const orders = job.triggers.flatMap(({ order }) => (order?.kind === 'session-revoked' ? [order] : []));
  const known = new Map(
    orders.map((order) => [
      JSON.stringify([order.subject, order.clientId, order.internalId, order.at]),
      order,
    ]),
  );
  return [...known.values()];
}

async function endSession(
  key: string,
  order: RevocationOrder,
  deps: AclJobDeps,
  signal: AbortSignal,
): Promise<void> {
  // A run that was interrupted recorded it: how many tokens it ended is unknown.
  const left = (await deps.journal.read(key)).pending.find(isDraftOf(order, deps));
  const ended = await endTokens(
    {
      key,
      draft: left ?? sessionDraft(order, deps),
      isRecorded: left !== undefined,
      filters: tokensOfSession(order, deps),
      issuedBefore: issuedUntil(order),
      isAsPlanned: () => policyOf(deps.world.mapping).removes,
      detailOf: async (count) => {
        const text = await endedTokensText(left === undefined ? count : undefined, deps, signal);
        return `${text}; an access token that was issued before the session ended logs in again until it expires`;
      },
    },
    deps,
    signal,
  );
  if (ended === 'stale') await reportForbidden(key, order, deps, signal);
}

/** In a mode that ends no token, records once how many would have ended. */
async function reportForbidden(
  key: string,
  order: RevocationOrder,
  deps: AclJobDeps,
  signal: AbortSignal,
): Promise<void> {
  const { mode, owner } = deps.world.mapping;
  const pending = (await deps.journal.read(key)).pending.filter(isDraftOf(order, deps));
  const detail = `scopemesh was interrupted while it ended these tokens. In mode ${mode} the remaining ones stay valid`;
  const find = () => ({ ...INTERRUPTED, detail });
  await recoverWrites(key, { pending, lastApplied: new Map() }, { find }, deps);
  let found = 0;
  const before = issuedUntil(order);
  for (const by of tokensOfSession(order, deps))
    found += tokensToEnd(await deps.consul.acl.tokens(by, signal), owner, { issuedBefore: before }).length;
  if (found === 0) return;
  const hold = sessionHold(order, found, deps);
  // Only recorded here: the people's part of the next job ends the hold.
  await recordHolds(key, await deps.journal.read(key), [hold], order.cause, deps, () => false);
}

/** Whether this job's orders record the holds of the subject. */
export function isSessionSubject(subject: string, job: Job, deps: Pick<AclJobDeps, 'world'>): boolean {
  return sessionOrders(job).some((order) => sessionSubject(order, deps) === subject);
}
