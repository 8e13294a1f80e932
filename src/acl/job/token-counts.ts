import { z } from 'zod';
import { messageOf } from '../../errors.js';
import { jsonIn } from '../../model/json-in.js';
import type { KeyValueStore } from '../../queue/key-value-store.js';
import type { ReconcilerDeps } from '../../reconcile/deps.js';
import { safeParse } from '../../safe-parse.js';
import { needsAclObjects } from '../apply/acl-state.js';
import { countTokens, TOKEN_KINDS } from '../plan/token-report.js';

const NAME = 'acl/token-counts';
const MOST_DAYS = 400;

const TokenDays = z.array(
  z.object({ day: z.iso.date(), counts: z.record(z.enum(TOKEN_KINDS), z.int().min(0)) }),
);
/** How many tokens of each kind the last comparison of each day saw, the oldest day first. */
export type TokenDays = z.infer<typeof TokenDays>;

/** None if the store has something else than scopemesh wrote. */
export async function readTokenDays(keyValues: Pick<KeyValueStore, 'get'>): Promise<TokenDays> {
  return safeParse(TokenDays, jsonIn((await keyValues.get(NAME)) ?? '')).data ?? [];
}

/**
 * Measures how many ACL tokens of each kind exist, so that the static ones can be reduced to none, and remembers it for
 * each day. scopemesh's own token, which no login can replace, does not count. Only if the mapping gives out tokens. A
 * failed read is logged and stops nothing.
 */
export async function noteTokens(
  {
    consul,
    world,
    metrics,
    logger,
    keyValues,
    clock,
  }: Pick<ReconcilerDeps, 'consul' | 'world' | 'metrics' | 'logger' | 'keyValues' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  if (!needsAclObjects(world.mapping)) return;
  try {
    const own = await consul.readAclToken(signal);
    const tokens = await consul.acl.tokens('all', signal);
    const counts = countTokens(tokens.filter(({ accessorId }) => accessorId !== own?.accessorId));
    for (const [kind, count] of Object.entries(counts))
      metrics.gauge('scopemesh_acl_tokens', count, { kind });
    const day = new Date(clock.now()).toISOString().slice(0, 10);
    const others = (await readTokenDays(keyValues)).filter((each) => each.day !== day);
    await keyValues.set(NAME, JSON.stringify([...others, { day, counts }].slice(-MOST_DAYS)));
  } catch (error) {
    if (!signal.aborted)
      logger.warn(
        { error: messageOf(error) },
        'the ACL tokens could not be counted; only the metric and the count of this day are missing',
      );
  }
}
