import type { Config } from '../../../config/config.js';
import type { LiveCore } from '../../daemon/live-core.js';
import { messageOf } from '../../errors.js';
import type { ServiceName } from '../../model/intention.js';
import type { ClientId } from '../../plan/world.js';
import type { Store } from '../../queue/store-parts.js';
import type { World } from '../answers.js';

/** What the answers of the console are made from. */
export interface ConsoleParts {
  readonly config: Config;
  readonly store: Store;
  /** Of the present term. */
  readonly live: () => LiveCore;
  /** The ID of the newest decision that a stream can go on after; undefined in an empty log. */
  readonly newest: () => Promise<string | undefined>;
}

/** A client as answers name it. */
export function shownClient(client: ClientId | undefined): { provider: string; id: string } | null {
  return client === undefined ? null : { provider: client.provider, id: client.clientId };
}

/** An answer in another form than a text. */
export interface Coded {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Begins an answer: first the decision, so that what is read of the world later has its effect already. */
export async function beginAnswer(parts: ConsoleParts): Promise<World> {
  const unknown: string[] = [];
  const decision = await parts.newest().catch((error: unknown) => {
    unknown.push(`The decision log cannot be read: ${messageOf(error)}`);
    return undefined;
  });
  const { deps } = parts.live();
  const now = deps.clock.now();
  unknown.push(...unknownOf(parts));
  return {
    asOf: { at: new Date(now).toISOString(), decision: decision ?? null },
    complete: unknown.length === 0,
    unknown,
  };
}

const MAX_NAMED = 5;

/** What the world does not know of both sides, in sentences. */
function* unknownOf({ live }: ConsoleParts): Iterable<string> {
  const { world, reads, consul, clock } = live().deps;
  if (world.catalog === undefined) yield "Consul's catalog has not been read yet.";
  if (!world.hasEntries) yield "Consul's intentions have not been read yet.";
  for (const provider of world.mapping.providers) {
    if (!world.hasDirectory(provider)) yield `The directory of ${provider} has not been read yet.`;
    const { clients, hasUnnamed } = world.directories.unreadableOf(provider);
    if (clients.size > 0) yield `${clients.size} clients of ${provider} have a record that cannot be read.`;
    if (hasUnnamed) yield `The directory of ${provider} has a record without a readable client ID.`;
  }
  for (const { side, seconds, why } of reads.unread(clock.now()))
    yield `${side === 'consul' ? 'Consul' : side} cannot be read for ${Math.floor(seconds)} s: ${why}`;
  const entries = consul.unreadable();
  for (const { kind, name, detail } of entries.slice(0, MAX_NAMED))
    yield `The ${kind} ${name} cannot be read: ${detail}`;
  if (entries.length > MAX_NAMED) yield `${entries.length - MAX_NAMED} more entries cannot be read.`;
}

/** A service as the console names it: by its name alone in the place of the instance, else with the place. */
export function displayName(
  { partition, namespace, name }: ServiceName,
  { consul }: Pick<Config, 'consul'>,
): string {
  const isHere =
    partition === (consul.partition ?? 'default') && namespace === (consul.namespace ?? 'default');
  return isHere ? name : `${partition}/${namespace}/${name}`;
}

/** What a path names is not there. */
export class NoSuchThing extends Error {
  get fault() {
    return { status: 404, error: this.message, code: 'NotFound' } as const;
  }
}
