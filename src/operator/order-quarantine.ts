import { isoInstant } from '../clock.js';
import type { Principal } from '../model/cause.js';
import { clientKey } from '../model/key.js';
import type { RulingEnd } from '../model/ruling.js';
import { policyOf } from '../plan/mode.js';
import { selectsClient } from '../plan/selection.js';
import type { ClientId } from '../plan/world.js';
import type { Queue } from '../queue/queue.js';
import { commandOf, type OperatorDeps } from './deps.js';

export interface OrderDeps extends Pick<OperatorDeps, 'world' | 'clock' | 'logger'> {
  /** The durable one: the order must not be lost. */
  readonly queue: Pick<Queue, 'add'>;
}

/** Puts a client in quarantine, as a report of a compromised secret does. Resolves once the order is durable. */
export async function orderQuarantine(
  id: ClientId,
  reason: string,
  by: Principal,
  { world, queue, clock, logger }: OrderDeps,
): Promise<RulingEnd<ClientId>> {
  const { mapping } = world;
  const { provider, clientId } = id;
  const text = `${provider}/${clientId}`;
  if (!mapping.providers.includes(provider))
    return { kind: 'unknown', why: `no provider of the configuration has the name ${provider}` };
  // While its directory is unread, nothing is known of the name, and the order does not wait.
  if (world.hasDirectory(provider) && world.client(id) === undefined)
    return { kind: 'unknown', why: `the identity provider has no client ${text}` };
  if (!selectsClient(mapping, id))
    return { kind: 'refused', why: `${text} is outside select; ask the instance that manages it` };
  if (!policyOf(mapping).plansNarrowing)
    return { kind: 'refused', why: `mode is ${mapping.mode}, which closes nothing; use mode: enforce` };
  const cause = commandOf(by, { clock });
  const order = { kind: 'secret-compromised' as const, ...id, at: isoInstant(clock), cause, reason };
  await queue.add([{ key: clientKey(provider, clientId), cause, urgent: true, order }]);
  logger.warn({ ...id, by: by.id, reason }, 'a person orders the quarantine of a client');
  return { kind: 'done', ruling: id };
}
