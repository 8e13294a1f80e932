import { isAclActive } from '../acl/apply/acl-state.js';
import { IssuerRedirects } from '../errors.js';
import type { ReadDeps } from './deps.js';

/**
 * Finds out whether the discovery document of a provider redirects, if logins need it. What cannot be read keeps its last value.
 * True if that changed. Never rejects.
 */
export async function readIssuer(
  provider: string,
  deps: Pick<ReadDeps, 'jwksUris' | 'world' | 'acl'>,
  signal: AbortSignal,
): Promise<boolean> {
  const read = isAclActive(deps) ? deps.jwksUris.get(provider) : undefined;
  if (read === undefined) return false;
  const redirects = await read(signal).then(
    () => false,
    (error: unknown) => (error instanceof IssuerRedirects ? true : undefined),
  );
  return redirects !== undefined && deps.world.userTokens.putRedirect(provider, redirects);
}
