import { type ClientDecision, clientDraft } from '../apply/client-draft.js';
import { journaledWrite, withdraw } from '../apply/journaled-write.js';
import { recoverWrites } from '../apply/recover-writes.js';
import { isoInstant } from '../clock.js';
import type { Cause, Principal } from '../model/cause.js';
import type { OAuthClient } from '../model/client.js';
import { definedFields } from '../model/defined-fields.js';
import { clientKey, formatKey } from '../model/key.js';
import type { Residual } from '../model/residual.js';
import type { Job } from '../model/trigger.js';
import { clientSubject } from '../plan/plan.js';
import { quarantineResidual } from '../plan/residual.js';
import { selectsClient } from '../plan/selection.js';
import {
  isNewer,
  newest,
  newestCompromise,
  parseRelease,
  parseStored,
  type StoredBlock,
  type StoredRelease,
} from '../plan/stored-block.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { OperatorDeps } from './deps.js';
import { forgetFirstApproval } from './first-approvals.js';

/*
 * A quarantine is kept in the store and in Consul's KV (quarantine-records.ts). The store is written first, both for a
 * quarantine and for a release:
 * - A quarantine: the store has the order's job and the decision, and it must not wait for a KV that refuses writes. A
 *   crash before the KV is written loses nothing, because the next start compares both.
 * - A release: the stored release says that the record in KV is of no more use. If the KV were written first, a crash
 *   after it would leave a quarantine that a person has ended. In this order a crash leaves a record that the next
 *   comparison deletes.
 */

const NAME = 'orders/closures';

type BlockDeps = Pick<OperatorDeps, 'keyValues' | 'world'>;

/**
 * Carries out the orders about a compromised client. The client is quarantined at once, over restarts too, until its secret
 * is seen rotated or a person releases it. An order from before the release has no effect. True if the store changed.
 */
export async function takeOrders(id: ClientId, job: Job, deps: OperatorDeps): Promise<boolean> {
  const order = newestCompromise(job);
  if (order === undefined) return false;
  const known = await storedBlock(id, deps);
  if (known?.closure === 'Released' && !isNewer(order, known)) return false;
  // In memory at once, and at each run, because the durable part may have failed before.
  deps.world.setClientBlock(id, 'ClientQuarantined');
  await settleLeftDecisions(id, deps);
  const take = (decisionId: string | undefined) =>
    changeStored(id, deps, (block) => ({
      ...id,
      closure: 'ClientQuarantined',
      at: newest([order.at, block?.at]),
      receivedAt: newest([order.receivedAt, block?.receivedAt]),
      ...definedFields({ decisionId }),
    }));
  const current = await storedBlock(id, deps);
  if (current?.closure === 'ClientQuarantined') {
    if (!isNewer(order, current)) return false;
    // A second report of a quarantine makes no second decision.
    await take(current.decisionId);
    return true;
  }
  const why = {
    ...({ verb: 'quarantined', reason: 'ClientQuarantined', cause: order.cause } as const),
    ...definedFields({ detail: order.reason }),
  };
  const residual = residualOf(id, deps);
  await decide(id, { ...why, before: null, after: { at: order.at }, residual }, take, deps);
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
  const decided = parseRelease(text);
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
  deps: Pick<OperatorDeps, 'keyValues' | 'clock' | 'world' | 'queue'>,
): Promise<boolean> {
  const decidedAt = isoInstant(deps.clock);
  const block = await storedBlock(id, deps);
  const isKnown = block?.closure === 'ClientQuarantined';
  if (!isKnown && deps.world.clientBlock(id) !== 'ClientQuarantined') return false;
  const decided: StoredRelease = { by, decidedAt, upTo: isKnown ? block.receivedAt : decidedAt };
  await deps.keyValues.set(releaseName(id), JSON.stringify(decided));
  const cause = { kind: 'command' as const, receivedAt: decidedAt, principal: by };
  await deps.queue.add([{ key: clientKey(id.provider, id.clientId), cause }]);
  return true;
}

/** What identifies the present quarantine of a client, its last report; undefined if it is not in one. */
export async function quarantineOf(
  id: ClientId,
  deps: Pick<OperatorDeps, 'keyValues' | 'world'>,
): Promise<string | undefined> {
  const block = await storedBlock(id, deps);
  if (block?.closure === 'ClientQuarantined') return block.receivedAt;
  return deps.world.clientBlock(id) === 'ClientQuarantined' ? 'in Consul' : undefined;
}

/** The client of a quarantine, by the ID of its decision. */
export async function quarantinedBy(
  decisionId: string,
  deps: Pick<OperatorDeps, 'keyValues'>,
): Promise<ClientId | undefined> {
  const block = (await storedBlocks(deps)).find(
    (each) => each.closure === 'ClientQuarantined' && each.decisionId === decisionId,
  );
  return block && { provider: block.provider, clientId: block.clientId };
}

/** Settles what a crash left: a decision was made if the store has the change that it is about. */
export async function settleLeftDecisions(id: ClientId, deps: OperatorDeps): Promise<void> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  const pending = (await deps.journal.read(key)).pending.filter(({ resource }) => resource.kind === 'client');
  if (pending.length === 0) return;
  const block = await storedBlock(id, deps);
  const made = pending.filter(({ id }) => id === block?.decisionId);
  const find = () => ({ outcome: 'applied' }) as const;
  await recoverWrites(key, { pending: made, lastApplied: new Map() }, { find }, deps);
  await withdraw(
    key,
    pending.flatMap((draft) => (made.includes(draft) ? [] : draft.id)),
    deps,
  );
}

export async function storedBlocks(deps: Pick<OperatorDeps, 'keyValues'>): Promise<readonly StoredBlock[]> {
  return parseStored(await deps.keyValues.get(NAME));
}

/** One change at a time: several jobs run at once, and each quarantine must outlive a restart. */
export async function changeBlocks(
  deps: BlockDeps,
  change: (all: readonly StoredBlock[]) => readonly StoredBlock[],
): Promise<void> {
  await deps.world.clientBlockMutex.run(async () => {
    const all = await storedBlocks(deps);
    const changed = change(all);
    if (changed !== all) await deps.keyValues.set(NAME, JSON.stringify(changed));
  });
}

async function release(
  id: ClientId,
  block: StoredBlock,
  why: Pick<ClientDecision, 'reason' | 'cause' | 'after'>,
  deps: OperatorDeps,
): Promise<void> {
  // Another person's first approval is valid for this quarantine only, not for a later one.
  await forgetFirstApproval(clientSubject(id), deps);
  await settleLeftDecisions(id, deps);
  if (block.closure === 'ClientQuarantined') {
    const end = (decisionId: string) =>
      changeStored(id, deps, (known) => ({ ...(known ?? block), closure: 'Released', decisionId }));
    await decide(id, { verb: 'released', before: { at: block.at }, ...why }, end, deps);
  }
  deps.world.setClientBlock(id, undefined);
  deps.logger.info({ ...id, reason: why.reason }, 'quarantine ended');
}

/**
 * Records the decision, changes the store, and settles the decision. Nothing is revalidated between: an order or a release
 * holds whatever is learnt meanwhile, and `change` starts from what is stored by then.
 */
async function decide(
  id: ClientId,
  decision: ClientDecision,
  change: (decisionId: string) => Promise<void>,
  deps: OperatorDeps,
): Promise<void> {
  const draft = clientDraft(id, decision, deps);
  const send = async () => {
    await change(draft.id);
    return { kind: 'written' } as const;
  };
  const key = formatKey(clientKey(id.provider, id.clientId));
  await journaledWrite({ key, requests: [{ drafts: [draft], send }] }, deps, new AbortController().signal);
}

async function storedBlock(
  id: ClientId,
  deps: Pick<OperatorDeps, 'keyValues'>,
): Promise<StoredBlock | undefined> {
  return (await storedBlocks(deps)).find((each) => clientText(each) === clientText(id));
}

function changeStored(
  id: ClientId,
  deps: BlockDeps,
  change: (known: StoredBlock | undefined) => StoredBlock,
): Promise<void> {
  return changeBlocks(deps, (all) => {
    const known = all.find((each) => clientText(each) === clientText(id));
    return [...all.filter((each) => each !== known), change(known)];
  });
}

function releaseName(id: ClientId): string {
  return `release/${clientSubject(id)}`;
}
