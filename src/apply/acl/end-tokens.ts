import type { TokenFilter } from '../../consul/acl.js';
import { messageOf } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import type { Reason } from '../../model/decision.js';
import { tokensToEnd } from '../../plan/acl/tokens.js';
import type { AclDeps } from './deps.js';

export interface TokensToEnd {
  readonly by: Exclude<TokenFilter, 'all'>;
  /** The reason of the decision. */
  readonly reason: Reason;
  /** Only those that were given a longer life. */
  readonly longerThanSeconds?: number;
  /** Only those issued before this instant (milliseconds since the epoch). */
  readonly issuedBefore?: number;
}

/** A list can miss a token that is issued at the same moment. After so many lists with tokens the next job goes on. */
const MOST_LISTS = 5;
/** A count must not delay the change after it, which may narrow. */
const COUNT_MS = 1_000;

/**
 * Ends the live tokens that a filter finds, and lists them again until none is left. Resolves with the number of ended
 * tokens. Calls `found` once, before it ends the first one.
 */
export async function endTokens(
  { by, reason, ...asked }: TokensToEnd,
  deps: Pick<AclDeps, 'consul' | 'metrics' | 'world'>,
  signal: AbortSignal,
  found: () => Promise<void> = async () => {},
): Promise<number> {
  const { owner } = deps.world.mapping;
  let ended = 0;
  for (let lists = 0; lists < MOST_LISTS; lists++) {
    const ids = tokensToEnd(await deps.consul.acl.tokens(by, signal), owner, asked);
    if (ids.length === 0) return ended;
    if (ended === 0) await found();
    const gone = await deps.consul.acl.deleteTokens(ids, signal);
    noteEnded(gone, reason, deps);
    ended += gone;
  }
  return ended;
}

/** Counts ended tokens by the reason of the decision. */
export function noteEnded(ended: number, reason: Reason, { metrics }: Pick<AclDeps, 'metrics'>): void {
  if (ended > 0) metrics.count('scopemesh_acl_tokens_ended_total', { reason }, ended);
}

/** How many live tokens a filter finds, for the decision; undefined if they cannot be read. */
export async function countTokens(
  by: Exclude<TokenFilter, 'all'>,
  deps: Pick<AclDeps, 'consul' | 'logger'>,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    return (await withLinkedSignal([signal], (stop) => deps.consul.acl.tokens(by, stop), COUNT_MS)).length;
  } catch (error) {
    signal.throwIfAborted();
    deps.logger.warn({ ...by, error: messageOf(error) }, 'the tokens that lose access could not be counted');
    return undefined;
  }
}

/** The detail of a decision about ended tokens: their number, and the caches that outlive it. */
export async function endedTokensText(
  ended: number | undefined,
  deps: Pick<AclDeps, 'consul' | 'acl' | 'clock'>,
  signal: AbortSignal,
): Promise<string> {
  const count = ended === undefined ? 'its live tokens' : tokensText(ended);
  return `ended ${count}; ${await outlivesText(deps, signal)}`;
}

/** The detail of a decision about live tokens whose role lost access: they keep the rest of the role. */
export async function losingTokensText(
  count: number | undefined,
  deps: Pick<AclDeps, 'consul' | 'acl' | 'clock'>,
  signal: AbortSignal,
): Promise<string> {
  const tokens = count === undefined ? 'its live tokens' : `its ${tokensText(count)}`;
  return `taken from ${tokens} too; ${await outlivesText(deps, signal)}`;
}

function tokensText(count: number): string {
  return `${count} live ${count === 1 ? 'token' : 'tokens'}`;
}

async function outlivesText(
  deps: Pick<AclDeps, 'consul' | 'acl' | 'clock'>,
  signal: AbortSignal,
): Promise<string> {
  const cache = await deps.acl.agentCache(() => deps.consul.inspect(signal), deps.clock.now());
  const outlives =
    cache === undefined
      ? 'for as long as their acl.role_ttl says, which could not be read'
      : `for up to ${Math.max(cache.role, 0)} s (acl.role_ttl) where the token has a role, and ${cache.token} s (acl.token_ttl) where it has none`;
  return `Consul's servers refuse them at once, its client agents may honour them ${outlives}, and longer while they cannot reach a server`;
}
