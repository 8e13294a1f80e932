import type { Config } from '../../config/config.js';
import { apiTokenPath, writeApiToken } from '../cli/api-token.js';
import { messageOf } from '../errors.js';
import { isLoopback } from '../model/is-loopback.js';
import type { Secret } from '../model/secret.js';
import type { Logger } from '../observe.js';

/**
 * Gives the token to commands on this machine. Called once the daemon listens, so that a second one that cannot start does
 * not replace the token of the first. Without the file the daemon still runs, because revocations must not wait for it.
 */
export async function publishLocalToken(config: Config, apiToken: Secret, logger: Logger): Promise<void> {
  try {
    await writeApiToken(config, apiToken);
  } catch (error) {
    logger.warn(
      { path: apiTokenPath(config), error: messageOf(error) },
      'the token file of the API cannot be written: scopemesh approve and reject do not reach this daemon; make state.directory writable and restart',
    );
  }
}

/** Says at the start what other machines will miss. */
export function warnOfMissingTokens({ http }: Config, logger: Logger): void {
  const { host } = http.admin ?? http.listen;
  if (isLoopback(host) || http.tokens.length > 0) return;
  logger.warn(
    { listener: http.admin === undefined ? 'http.listen' : 'http.admin', host },
    'the listener is open to other machines and http.tokens is empty: it refuses them the status, the metrics and the API',
  );
}
