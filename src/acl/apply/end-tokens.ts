import { journaledWrite, type WriteAnswer } from '../../apply/journaled-write.js';
import type { TokenFilter } from '../../consul/acl.js';
import { messageOf } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import type { DraftDecision, Reason } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import { tokensToEnd } from '../plan/tokens.js';
import type { AclDeps } from './deps.js';

type Filter = Exclude<TokenFilter, 'all'>;

/** Live tokens that end by one decision. */
export interface TokenEnding {
  /** Of the journal. */
  readonly key: string;
  readonly draft: DraftDecision;
  /** The draft may be recorded already: by the change that leaves these tokens, or by a run that died. */
  readonly isRecorded?: boolean;
  readonly filters: readonly Filter[];
  /** Only those that were given a longer life. */
  readonly longerThanSeconds?: number | undefined;
  /** Only those issued before this instant (milliseconds since the epoch). */
  readonly issuedBefore?: number;
  readonly isAsPlanned?: () => boolean;
  /** Before each request that ends some. */
  readonly onEnding?: () => void;
  /** The detail of the decision. */
  readonly detailOf?: (ended: number) => Promise<string>;
}

/** A list can miss a token that is issued at the same moment. After so many lists with tokens the next job goes on. */
const MAX_LISTS = 5;
/** A count must not delay the change after it, which may narrow. */
const COUNT_MS = 1_000;

/**
 * Ends the live tokens that the filters find, and lists them again until none is left. Without tokens there is no decision,
 * unless it is recorded already. Whatever fails, a decision stays recorded, because no later plan may find its tokens. The
 * next run of the key goes on. Resolves with the number of ended tokens.
 */
export async function endTokens(
  ending: TokenEnding,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<number | 'stale'> {
  const { key, draft, isRecorded = false, isAsPlanned, onEnding } = ending;
  const { detailOf = (count: number) => endedTokensText(count, deps, signal) } = ending;
  const lists = liveTokens(ending, deps, signal);
  let list = await lists.next();
  if (list.done === true && !isRecorded) return 0;
  let ended = 0;
  const send = async (): Promise<WriteAnswer> => {
    for (; list.done !== true; list = await lists.next()) {
      onEnding?.();
      const gone = await deps.consul.acl.deleteTokens(list.value, signal);
      noteEnded(gone, draft.reason, deps);
      ended += gone;
    }
    return { kind: 'written', detail: await detailOf(ended) };
  };
  const keeps = isRecorded ? (['stale', 'refused'] as const) : (['refused'] as const);
  const requests = [{ drafts: [draft], send }];
  const end = await journaledWrite({ key, requests, isAsPlanned, keeps }, deps, signal);
  if ('error' in end) throw end.error;
  return end.kind === 'stale' ? 'stale' : ended;
}

/** The IDs of the tokens, list by list. The caller ends the tokens of one list before it takes the next. */
async function* liveTokens(
  { filters, longerThanSeconds, issuedBefore }: TokenEnding,
  { consul, world }: Pick<AclDeps, 'consul' | 'world'>,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void> {
  const asked = definedFields({ longerThanSeconds, issuedBefore });
  for (const by of filters)
    for (let lists = 0; lists < MAX_LISTS; lists++) {
      const ids = tokensToEnd(await consul.acl.tokens(by, signal), world.mapping.owner, asked);
      if (ids.length === 0) break;
      yield ids;
    }
}

/** Counts ended tokens by the reason of the decision. */
export function noteEnded(ended: number, reason: Reason, { metrics }: Pick<AclDeps, 'metrics'>): void {
  if (ended > 0) metrics.count('scopemesh_acl_tokens_ended_total', { reason }, ended);
}

/** How many live tokens a filter finds, for the decision; undefined if they cannot be read. */
export async function countTokens(
  by: Filter,
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
