import { z } from 'zod';
import { type ClientDecision, clientDraft } from '../apply/client-draft.js';
import { toSettled } from '../apply/settle.js';
import { isoInstant } from '../clock.js';
import type { Cause, Principal } from '../model/cause.js';
import type { OAuthClient } from '../model/client.js';
import { definedFields } from '../model/defined-fields.js';
import { jsonIn } from '../model/json-in.js';
import { clientKey } from '../model/key.js';
import type { Residual } from '../model/residual.js';
import type { Job } from '../model/trigger.js';
import { clientSubject } from '../plan/plan.js';
import { quarantineResidual } from '../plan/residual.js';
import { selectsClient } from '../plan/selection.js';
import { isNewer, newest, newestCompromise, type StoredBlock } from '../plan/stored-block.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { SettledDecision } from '../queue/journal.js';
import { safeParse } from '../safe-parse.js';
import type { OperatorDeps } from './deps.js';
import { forgetFirstApproval } from './first-approvals.js';
import { type RulingRecords, readRuling, readRulings, recordRuling } from './ruling-store.js';
import { StoredPrincipal } from './stored-principal.js';

/*
 * A quarantine is kept in the store and in Consul's KV (quarantine-records.ts). The store is written first, both for a
 * quarantine and for a release:
 * - A quarantine: the store has the order's job and the decision, and it must not wait for a KV that refuses writes. A
 *   crash before the KV is written loses nothing, because the next start compares both.
 * - A release: the stored release says that the record in KV is of no more use. If the KV were written first, a crash
 *   after it would leave a quarantine that a person has ended. In this order a crash leaves a record that the next
 *   comparison deletes.
 */

const Stored = z.object({
  provider: z.string(),
  clientId: z.string(),
  closure: z.enum(['ClientQuarantined', 'Released']),
  at: z.string(),
  receivedAt: z.string(),
  decisionId: z.string().exactOptional(),
});

/** A person's decision to end the quarantine of a client. */
const StoredRelease = z.object({
  by: StoredPrincipal,
  decidedAt: z.string(),
  /** ISO 8601. Reports that were received later are not released: the person did not know them. */
  upTo: z.string(),
});

type StoreDeps = Pick<OperatorDeps, 'journal' | 'world'>;

const recordOf = (id: ClientId) => `quarantine/${clientText(id)}`;

/** Of one client. A release is kept too: an earlier report has no effect any more. */
export const QUARANTINES: RulingRecords<StoredBlock> = {
  name: 'quarantine',
  parse: (text) => safeParse(Stored, jsonIn(text)).data,
  recordOf,
};

/**
 * Carries out the orders about a compromised client. The client is quarantined at once, over restarts too, until its secret
 * is seen rotated or a person releases it. An order from before the release has no effect. True if the store changed.
 */
export async function takeOrders(id: ClientId, job: Job, deps: OperatorDeps): Promise<boolean> {
  const order = newestCompromise(job);
  if (order === undefined) return false;
  const known = await storedBlock(id, deps);
  if (known?.closure === 'Released' && !isNewer(order, known)) return false;
  // In memory at once, and at each run, because the durable part may fail, or have failed before.
  deps.world.setClientBlock(id, 'ClientQuarantined');
  // Else what forgets an old release could forget this quarantine.
  return deps.rulingTurns.run(QUARANTINES.name, () => take(id, order, deps));
}

async function take(
  id: ClientId,
  order: NonNullable<ReturnType<typeof newestCompromise>>,
  deps: OperatorDeps,
): Promise<boolean> {
  const known = await storedBlock(id, deps);
  const taken = {
    ...{ ...id, closure: 'ClientQuarantined' as const },
    at: newest([order.at, known?.at]),
    receivedAt: newest([order.receivedAt, known?.receivedAt]),
  };
  if (known?.closure === 'ClientQuarantined') {
    if (!isNewer(order, known)) return false;
    // A second report of a quarantine makes no second decision.
    await recordRuling(QUARANTINES, { ...known, ...taken }, {}, deps);
    return true;
  }
  const why = {
    ...({ verb: 'quarantined', reason: 'ClientQuarantined', cause: order.cause } as const),
    ...definedFields({ detail: order.reason }),
  };
  const residual = residualOf(id, deps);
  const decision = decisionOf(id, { ...why, before: null, after: { at: order.at }, residual }, deps);
  await recordRuling(QUARANTINES, { ...taken, decisionId: decision.id }, { decision }, deps);
  deps.logger.warn(
    { ...id, at: order.at },
    'client quarantined: its secret is compromised, or a person ordered it',
  );
  return true;
}

function residualOf(id: ClientId, { world, clock }: OperatorDeps): Residual {
  const services = world
    .claimsOn(id, clock.now())
    .flatMap((status) => (status.kind === 'none' ? [] : [status.service]));
  return quarantineResidual(services, world.entries, world.mapping.owner);
}

/** Restores the quarantines of earlier processes, and ends those that a person has released since. */
export async function restoreQuarantines(deps: OperatorDeps): Promise<void> {
  const blocks = (await storedBlocks(deps)).filter(
    (block) => block.closure === 'ClientQuarantined' && selectsClient(deps.world.mapping, block),
  );
  for (const { provider, clientId } of blocks)
    deps.world.setClientBlock({ provider, clientId }, 'ClientQuarantined');
  for (const { provider, clientId } of blocks) await releaseIfDecided({ provider, clientId }, deps);
}

/** Ends the quarantine of a client whose secret is newer than the order about the compromised one. True if it ended. */
export async function releaseIfRotated(
  id: ClientId,
  client: OAuthClient | undefined,
  cause: Cause,
  deps: OperatorDeps,
): Promise<boolean> {
  if (client?.secretCreatedAt === undefined || deps.world.clientBlock(id) !== 'ClientQuarantined')
    return false;
  const block = await storedBlock(id, deps);
  if (block === undefined || !(Date.parse(client.secretCreatedAt) > Date.parse(block.at))) return false;
  const after = { secretCreatedAt: client.secretCreatedAt };
  await release(id, block, { reason: 'SecretRotated', cause, after }, deps);
  return true;
}

/** Ends a quarantine that a person has released, in this process or in another one. True if it ended. */
export async function releaseIfDecided(id: ClientId, deps: OperatorDeps): Promise<boolean> {
  if (deps.world.clientBlock(id) !== 'ClientQuarantined') return false;
  const name = releaseName(id);
  const text = await deps.keyValues.get(name);
  const decided = safeParse(StoredRelease, jsonIn(text ?? '')).data;
  const block = await storedBlock(id, deps);
  // Before an order is stored, nobody can have released it.
  if (decided === undefined || block === undefined) return false;
  const isOfThis = Date.parse(decided.upTo) >= Date.parse(block.receivedAt);
  const cause = { kind: 'command', receivedAt: decided.decidedAt, principal: decided.by } as const;
  if (isOfThis) await release(id, block, { reason: 'QuarantineEnded', cause, after: null }, deps);
  await deps.keyValues.set(name, '');
  return isOfThis;
}

/**
 * Stores a person's decision to end a quarantine, and queues the client, whose job carries it out: one process writes the
 * blocks and their decisions. False if the client is not in quarantine.
 */
export async function decideRelease(
  id: ClientId,
  by: Principal,
  deps: StoreDeps & Pick<OperatorDeps, 'keyValues' | 'clock' | 'queue'>,
): Promise<boolean> {
  const decidedAt = isoInstant(deps.clock);
  const block = await storedBlock(id, deps);
  const isKnown = block?.closure === 'ClientQuarantined';
  if (!isKnown && deps.world.clientBlock(id) !== 'ClientQuarantined') return false;
  const decided: z.infer<typeof StoredRelease> = {
    by,
    decidedAt,
    upTo: isKnown ? block.receivedAt : decidedAt,
  };
  await deps.keyValues.set(releaseName(id), JSON.stringify(decided));
  const cause = { kind: 'command' as const, receivedAt: decidedAt, principal: by };
  await deps.queue.add([{ key: clientKey(id.provider, id.clientId), cause }]);
  return true;
}

/** What identifies the present quarantine of a client, its last report; undefined if it is not in one. */
export async function quarantineOf(id: ClientId, deps: StoreDeps): Promise<string | undefined> {
  const block = await storedBlock(id, deps);
  if (block?.closure === 'ClientQuarantined') return block.receivedAt;
  return deps.world.clientBlock(id) === 'ClientQuarantined' ? 'in Consul' : undefined;
}

/** The client of a quarantine, by the ID of its decision. */
export async function quarantinedBy(decisionId: string, deps: StoreDeps): Promise<ClientId | undefined> {
  const block = (await storedBlocks(deps)).find(
    (each) => each.closure === 'ClientQuarantined' && each.decisionId === decisionId,
  );
  return block && { provider: block.provider, clientId: block.clientId };
}

export function storedBlocks(deps: StoreDeps): Promise<readonly StoredBlock[]> {
  return readRulings(QUARANTINES, deps);
}

async function release(
  id: ClientId,
  block: StoredBlock,
  why: Pick<ClientDecision, 'reason' | 'cause' | 'after'>,
  deps: OperatorDeps,
): Promise<void> {
  // Another person's first approval is valid for this quarantine only, not for a later one.
  await forgetFirstApproval(clientSubject(id), deps);
  if (block.closure === 'ClientQuarantined') {
    const decision = decisionOf(id, { verb: 'released', before: { at: block.at }, ...why }, deps);
    const released = { ...block, closure: 'Released' as const, decisionId: decision.id };
    await recordRuling(QUARANTINES, released, { decision }, deps);
  }
  deps.world.setClientBlock(id, undefined);
  deps.logger.info({ ...id, reason: why.reason }, 'quarantine ended');
}

function decisionOf(id: ClientId, decision: ClientDecision, deps: OperatorDeps): SettledDecision {
  return toSettled(clientDraft(id, decision, deps), { outcome: 'applied' }, deps.clock.now());
}

function storedBlock(id: ClientId, deps: StoreDeps): Promise<StoredBlock | undefined> {
  return readRuling(QUARANTINES, recordOf(id), deps);
}

function releaseName(id: ClientId): string {
  return `release/${clientSubject(id)}`;
}
