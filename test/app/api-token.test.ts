import { readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { apiTokenPath, createApiToken, readApiToken, writeApiToken } from '../../src/app/api-token.js';
import { newDirectory } from '../support/use-directory.js';

let directory: string;
beforeEach(() => {
  directory = newDirectory();
});

const settingsOf = (port = 8080, admin?: number) => ({
  http: {
    listen: { host: '127.0.0.1', port },
    ...(admin === undefined ? {} : { admin: { host: '127.0.0.1', port: admin } }),
    tokens: [],
  },
  state: { directory: join(directory, 'state') },
});

describe('the token file of the API', () => {
  it('is made for its owner alone, with the directory, and gives the token back', async () => {
    const token = createApiToken();
    await writeApiToken(settingsOf(), token);
    expect((await readApiToken(settingsOf())).reveal()).toBe(token.reveal());
    expect(Buffer.from(token.reveal(), 'base64url')).toHaveLength(32);
    expect(statSync(apiTokenPath(settingsOf())).mode & 0o777).toBe(0o600);
  });

  it('gets a new token at each start, also after a crash in between and whatever its mode was', async () => {
    const path = apiTokenPath(settingsOf());
    await writeApiToken(settingsOf(), createApiToken());
    rmSync(path);
    writeFileSync(path, 'torn', { mode: 0o644 });
    writeFileSync(`${path}.new`, 'left by a crash', { mode: 0o644 });
    const token = createApiToken();
    await writeApiToken(settingsOf(), token);
    expect((await readApiToken(settingsOf())).reveal()).toBe(token.reveal());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, 'state'))).toEqual(['api-token-8080']);
  });

  it('is another one for each process that shares the directory', async () => {
    const [first, second] = [createApiToken(), createApiToken()];
    await writeApiToken(settingsOf(8080), first);
    await writeApiToken(settingsOf(8080, 8081), second);
    expect((await readApiToken(settingsOf(8080))).reveal()).toBe(first.reveal());
    expect((await readApiToken(settingsOf(8080, 8081))).reveal()).toBe(second.reveal());
  });

  it.each<[string, (path: string) => void, RegExp]>([
    ['is missing', () => {}, /api-token-8080 does not exist; use the state\.directory of the daemon/],
    ['is torn', (path) => writeFileSync(path, 'abc'), /api-token-8080 is no token; restart the daemon/],
    ['is a link', (path) => symlinkSync('/etc/hostname', path), /api-token-8080 cannot be read: .*; run /],
  ])('that %s is an error with the file and the remedy', async (_what, make, message) => {
    await writeApiToken(settingsOf(), createApiToken());
    const path = apiTokenPath(settingsOf());
    rmSync(path);
    make(path);
    await expect(readApiToken(settingsOf())).rejects.toThrow(message);
    await expect(readApiToken(settingsOf())).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });
});
