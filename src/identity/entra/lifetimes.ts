import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { GraphApi } from './graph-api.js';
import { readCollection } from './pages.js';
import { guid } from './principal.js';

/** The lifetimes of access tokens, by the objects that their policies apply to. */
export interface TokenLifetimes {
  /** The shortest lifetime that can apply to a token between these applications and service principals, in seconds. */
  shortest(holders: readonly (string | undefined)[]): number;
}

export interface TokenLifetimeReader {
  /** Not older than `maxAgeMs`. Throws as a Directory does, except for a missing permission. */
  read(maxAgeMs: number, signal: AbortSignal): Promise<TokenLifetimes>;
}

/** Without a policy Entra chooses a random lifetime between 60 and 90 minutes. The lower end counts. */
const DEFAULT_SECONDS = 3600;
/** The shortest lifetime that a policy can set. It is assumed if policies cannot be read. */
const MIN_SECONDS = 600;

const POLICY = z.object({
  id: guid,
  definition: z.array(z.string().max(16_384)),
  isOrganizationDefault: z.boolean().nullish(),
});
const HOLDER = z.object({ id: guid });

/**
 * Token lifetime policies (https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes). The API rather
 * than the client decides which of several policies applies. The shortest of all candidates is never too long.
 */
export function createTokenLifetimeReader(options: {
  readonly api: GraphApi;
  readonly clock: Clock;
  readonly logger: Logger;
}): TokenLifetimeReader {
  const { api, clock, logger } = options;
  let cached: { readonly lifetimes: TokenLifetimes; readonly readAt: number } | undefined;
  let hasWarned = false;

  const readPolicies = async (signal: AbortSignal): Promise<TokenLifetimes> => {
    const path = '/policies/tokenLifetimePolicies';
    const what = 'token lifetime policies';
    const policies = await readCollection(api, { path, query: {}, what }, POLICY, signal);
    const byHolder = new Map<string, number>();
    let everywhere = Number.POSITIVE_INFINITY;
    for (const policy of policies) {
      const seconds = secondsOf(policy.definition);
      if (seconds === undefined) continue;
      if (policy.isOrganizationDefault === true) everywhere = Math.min(everywhere, seconds);
      const applied = { path: `${path}/${policy.id}/appliesTo`, query: { $select: 'id' }, what };
      for (const { id } of await readCollection(api, applied, HOLDER, signal))
        byHolder.set(id, Math.min(byHolder.get(id) ?? Number.POSITIVE_INFINITY, seconds));
    }
    return {
      shortest(holders) {
        const own = holders.map((id) => (id === undefined ? undefined : byHolder.get(id)));
        const least = Math.min(everywhere, ...own.filter((each) => each !== undefined));
        return Number.isFinite(least) ? least : DEFAULT_SECONDS;
      },
    };
  };

  return {
    async read(maxAgeMs, signal) {
      if (cached !== undefined && clock.now() - cached.readAt < maxAgeMs) return cached.lifetimes;
      const readAt = clock.now();
      const lifetimes = await readPolicies(signal).catch((error: unknown): TokenLifetimes => {
        if (!(error instanceof SyncError) || error.code !== 'ERR_DIRECTORY_DENIED') throw error;
        if (!hasWarned) {
          const remedy = 'grant the application permission Policy.Read.All';
          logger.warn(
            { provider: api.provider, remedy },
            'token lifetime policies cannot be read: 10 minutes are assumed',
          );
        }
        hasWarned = true;
        return { shortest: () => MIN_SECONDS };
      });
      cached = { lifetimes, readAt };
      return lifetimes;
    },
  };
}

/** Seconds of `AccessTokenLifetime`; undefined if the policy is about other tokens. */
function secondsOf(definition: readonly string[]): number | undefined {
  const lifetimes = definition.flatMap((text) => {
    const found = /"AccessTokenLifetime"\s*:\s*"([^"]*)"/.exec(text);
    return found === null ? [] : [toSeconds(found[1] ?? '')];
  });
  return lifetimes.length === 0 ? undefined : Math.min(...lifetimes);
}

/** `[d.]hh:mm:ss`. Any other form counts as the shortest possible lifetime. */
function toSeconds(text: string): number {
  const parts = /^(?:(\d{1,3})\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(text);
  if (parts === null) return MIN_SECONDS;
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
}
