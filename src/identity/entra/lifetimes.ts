import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { fieldOf } from '../../model/field-of.js';
import type { Logger } from '../../observe.js';
import { invalidRecords, recordOf, validRecords } from '../records.js';
import type { GraphApi } from './graph-api.js';
import { readCollection } from './pages.js';
import { guid } from './principal.js';
import { isGuid } from './tenant.js';

/**
 * The shortest lifetime that can apply to an access token between these applications and service principals, in seconds.
 * Undefined if a policy that cannot be parsed may apply.
 */
export type ShortestLifetime = (holders: readonly (string | undefined)[]) => number | undefined;

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
 * The reader gives lifetimes that are not older than `maxAgeMs`. It throws as a Directory does, except for a missing
 * permission.
 */
export function createTokenLifetimeReader(options: {
  readonly api: GraphApi;
  readonly clock: Clock;
  readonly logger: Logger;
}): (maxAgeMs: number, signal: AbortSignal) => Promise<ShortestLifetime> {
  const { api, clock, logger } = options;
  let cached: { readonly shortest: ShortestLifetime; readonly readAt: number } | undefined;
  let hasWarned = false;

  const readPolicies = async (signal: AbortSignal): Promise<ShortestLifetime> => {
    const path = '/policies/tokenLifetimePolicies';
    const what = 'token lifetime policies';
    const policies = await readCollection(api, { path, query: {}, what }, recordOf(POLICY, 'id'), signal);
    const byHolder = new Map<string, number>();
    const unknownOf = new Set<string>();
    let everywhere = Number.POSITIVE_INFINITY;
    let isUnknownEverywhere = false;
    const add = (holder: string, seconds: number | undefined) => {
      if (seconds === undefined) unknownOf.add(holder);
      else byHolder.set(holder, Math.min(byHolder.get(holder) ?? Number.POSITIVE_INFINITY, seconds));
    };
    for (const record of policies) {
      const isValid = record.fault === undefined;
      const seconds = isValid ? secondsOf(record.value.definition) : undefined;
      // The policy is about other tokens.
      if (isValid && seconds === undefined) continue;
      const isDefault = isValid
        ? record.value.isOrganizationDefault === true
        : fieldOf(record.raw, 'isOrganizationDefault') !== false;
      if (isDefault && seconds === undefined) isUnknownEverywhere = true;
      else if (isDefault) everywhere = Math.min(everywhere, seconds ?? MIN_SECONDS);
      if (!isGuid(record.id)) {
        isUnknownEverywhere = true;
        continue;
      }
      const applied = { path: `${path}/${record.id}/appliesTo`, query: { $select: 'id' }, what };
      const holders = await readCollection(api, applied, recordOf(HOLDER, 'id'), signal);
      for (const { id } of validRecords(holders)) add(id, seconds);
      // Anybody may be the holder without an ID.
      if (invalidRecords(holders).length > 0) isUnknownEverywhere = true;
    }
    return (holders) => {
      if (isUnknownEverywhere || holders.some((id) => id !== undefined && unknownOf.has(id)))
        return undefined;
      const own = holders.map((id) => (id === undefined ? undefined : byHolder.get(id)));
      const least = Math.min(everywhere, ...own.filter((each) => each !== undefined));
      return Number.isFinite(least) ? least : DEFAULT_SECONDS;
    };
  };

  return async (maxAgeMs, signal) => {
    if (cached !== undefined && clock.now() - cached.readAt < maxAgeMs) return cached.shortest;
    const readAt = clock.now();
    const shortest = await readPolicies(signal).catch((error: unknown): ShortestLifetime => {
      if (!(error instanceof SyncError) || error.code !== 'ERR_DIRECTORY_DENIED') throw error;
      if (!hasWarned) {
        const remedy = 'grant the application permission Policy.Read.All';
        logger.warn(
          { provider: api.provider, remedy },
          'token lifetime policies cannot be read: 10 minutes are assumed',
        );
      }
      hasWarned = true;
      return () => MIN_SECONDS;
    });
    cached = { shortest, readAt };
    return shortest;
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
