import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.js';
import { configError, messageOf } from '../errors.js';
import { makeStateDirectory } from '../make-directory.js';
import { Secret } from '../model/secret.js';

interface Settings extends Pick<Config, 'state'> {
  readonly http: Pick<Config['http'], 'listen' | 'admin'>;
}

const BYTES = 32;
const TEXT = /^[A-Za-z0-9_-]{43}\n$/;

/**
 * Where a daemon keeps the token of its API for commands on the same machine. The name has the port, because several
 * processes may share a state directory.
 */
export function apiTokenPath({ http, state }: Settings): string {
  return join(state.directory, `api-token-${(http.admin ?? http.listen).port}`);
}

/**
 * A new token for each start: while the daemon is down, another program could listen at its address and be sent the old
 * one by a command.
 */
export function createApiToken(): Secret {
  return new Secret(randomBytes(BYTES).toString('base64url'));
}

/** Replaces the file in one step. Throws the system's error. */
export async function writeApiToken(settings: Settings, apiToken: Secret): Promise<void> {
  makeStateDirectory(settings.state.directory);
  const path = apiTokenPath(settings);
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(`${apiToken.reveal()}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** Throws ERR_CONFIG with the file and the remedy. */
export async function readApiToken(settings: Settings): Promise<Secret> {
  const path = apiTokenPath(settings);
  const refuse = (why: string, remedy: string, cause?: unknown) =>
    configError(`the token of the daemon's API in ${path} ${why}; ${remedy}`, cause);
  const asDaemon = 'run the command as the user of the daemon (sudo -u USER scopemesh …) or as root';
  // A pipe in its place must not keep the reader waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT')
      throw refuse('does not exist', 'use the state.directory of the daemon, or restart the daemon', error);
    if (code === 'EACCES' || code === 'EPERM') throw refuse('is not readable for this user', asDaemon, error);
    throw refuse(`cannot be read: ${messageOf(error)}`, asDaemon, error);
  });
  try {
    const state = await file.stat();
    const buffer = Buffer.alloc(2 * BYTES);
    const text = state.isFile()
      ? buffer.toString('latin1', 0, (await file.read(buffer, 0, buffer.length, 0)).bytesRead)
      : '';
    if (!TEXT.test(text)) throw refuse('is no token', 'restart the daemon, which writes a new one');
    return new Secret(text.trimEnd());
  } finally {
    await file.close();
  }
}
