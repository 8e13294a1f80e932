import { readJwtProviders } from '../apply/jwt-provider-write.js';
import { messageOf, Stopped } from '../errors.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import type { Mapping } from '../model/rule.js';
import { enforcesJwt, isOurJwtProvider } from '../plan/jwt-requirement.js';
import type { WorldState } from '../state/world-state.js';
import type { ReadDeps } from './deps.js';

/** Whether the mapping has a rule that needs a user's token. */
export function needsUserTokens({ rules, limits }: Pick<Mapping, 'rules' | 'limits'>): boolean {
  return (
    rules.some(({ userRequired }) => userRequired) ||
    Object.values(limits).some(({ onBehalfOf }) => onBehalfOf === 'human')
  );
}

/**
 * Reads the facts that user tokens need: Consul's version, its jwt-providers, its terminating gateways, and the key address of
 * each provider. A fact that cannot be read keeps its last value, but the gateways are unknown then; that is logged. If no
 * rule needs such a token, the entries are read once, to find those of an earlier mapping. Throws only when aborted, or when
 * a stop ended a read.
 */
export async function readUserTokenFacts(
  deps: Pick<ReadDeps, 'consul' | 'world' | 'jwksUris' | 'logger'>,
  signal: AbortSignal,
): Promise<void> {
  const { consul, world, jwksUris, logger } = deps;
  const { userTokens } = world;
  const isNeeded = needsUserTokens(world.mapping);
  const isOver = userTokens.facts.entries !== undefined && ourJwtProviders(world).length === 0;
  if (!isNeeded && isOver) return;
  const attempt = async (what: string, read: () => Promise<void>) => {
    try {
      await read();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Stopped) throw error;
      const fields = { what, error: messageOf(error) };
      if (isNeeded)
        logger.warn(
          fields,
          'a fact that user tokens need could not be read; its last value is used (for gateways, no value)',
        );
      else logger.debug(fields, 'a fact that user tokens would need could not be read');
    }
  };
  const readEntries = async () => {
    const read = world.beginRead();
    const { version } = await consul.inspect(signal);
    // A server that is too old makes the versions of the agents irrelevant.
    const isAsked = isNeeded && enforcesJwt(version);
    const agents = isAsked ? await consul.jwtProviders.agentVersions(signal) : undefined;
    userTokens.putVersion(
      version,
      agents?.filter((each) => !enforcesJwt(each)),
      read,
    );
    const { consulVersion } = userTokens.facts;
    // Before 1.16 Consul has no such entries, and answers a read with an error.
    if (consulVersion !== undefined)
      if (enforcesJwt(consulVersion)) await readJwtProviders(deps, signal);
      else userTokens.putEntries([], world.beginRead());
  };
  const readGateways = async () => {
    const begun = world.beginRead();
    try {
      const gateways = await consul.reachability.readGateways('terminating-gateway', undefined, signal);
      const services = gateways.flatMap(({ routes }) => routes.map(({ service }) => service.toLowerCase()));
      userTokens.putBehindGateways(new Set(services), begun);
    } catch (error) {
      // A service may be behind a gateway by now.
      userTokens.putBehindGateways(undefined, begun);
      throw error;
    }
  };
  await Promise.all([
    attempt('jwt-providers', readEntries),
    ...(isNeeded ? [attempt('terminating gateways', readGateways)] : []),
    ...[...(isNeeded ? jwksUris : [])].map(([provider, read]) =>
      attempt(`the keys of ${provider}`, async () => {
        const begun = world.beginRead();
        userTokens.putJwksUri(provider, await read(signal), begun);
      }),
    ),
  ]);
  // No rule needs them and nothing could be read: there are no entries of ours.
  if (!isNeeded && userTokens.facts.entries === undefined) userTokens.putEntries([], world.beginRead());
}

/** Whether a fact that user tokens need was never read. */
export function lacksFacts({ mapping, userTokens }: Pick<WorldState, 'mapping' | 'userTokens'>): boolean {
  const { consulVersion, entries, jwksUris, behindGateways } = userTokens.facts;
  return (
    consulVersion === undefined ||
    entries === undefined ||
    behindGateways === undefined ||
    mapping.providers.some((provider) => !jwksUris.has(provider))
  );
}

/** The known entries with our mark. */
export function ourJwtProviders(
  world: Pick<WorldState, 'mapping' | 'userTokens'>,
): readonly ExistingJwtProvider[] {
  const { entries } = world.userTokens.facts;
  return [...(entries?.values() ?? [])].filter((entry) => isOurJwtProvider(world.mapping.owner, entry));
}

/** Whether this Consul has such entries and any of them matters. An older Consul answers a read with an error. */
export function hasJwtProviders(world: Pick<WorldState, 'mapping' | 'userTokens'>): boolean {
  const { consulVersion } = world.userTokens.facts;
  const isUsed = needsUserTokens(world.mapping) || ourJwtProviders(world).length > 0;
  return isUsed && consulVersion !== undefined && enforcesJwt(consulVersion);
}
