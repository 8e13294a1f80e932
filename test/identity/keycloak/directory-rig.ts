import type { Clock } from '../../../src/clock.js';
import type { Directory } from '../../../src/identity/directory.js';
import { createAdminApi } from '../../../src/identity/keycloak/admin-api.js';
import {
  createKeycloakDirectory,
  type KeycloakDirectoryOptions,
} from '../../../src/identity/keycloak/directory.js';
import { KeycloakNames } from '../../../src/identity/keycloak/names.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { FakeKeycloak, type Fault } from './fake-keycloak.js';

export const SECRET = 'the-client-secret-of-scopemesh';

/** A Keycloak with three clients of its own and ten more, and the directory that reads it in pages of four. */
export interface DirectoryRig {
  readonly keycloak: FakeKeycloak;
  readonly directory: Directory;
  /** Another directory, which is closed with the rig. */
  open(options?: Partial<KeycloakDirectoryOptions>): Directory;
  /** Lets `fault` answer where the path or the query has `part` in it. */
  onPath(part: string, fault: Fault): void;
  /** The client ids of a complete read. */
  ids(): Promise<readonly string[]>;
  /** Moves the clock of every directory of the rig. */
  advance(ms: number): void;
  stop(): Promise<void>;
}

export async function startDirectoryRig(): Promise<DirectoryRig> {
  const keycloak = await new FakeKeycloak().start();
  for (let at = 0; at < 10; at++) keycloak.add(`svc-${at}`);
  let nowMs = Date.parse('2026-11-25T00:00:00Z');
  const clock: Clock = { now: () => nowMs, sleep: async () => {} };
  const opened: Directory[] = [];
  const open: DirectoryRig['open'] = (options = {}) => {
    const given = {
      provider: 'main',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: new Secret(SECRET),
      serviceAccountRoles: false,
      pageSize: 4,
      timeoutMs: 2000,
      clock,
      logger: silentLogger,
      metrics: noMetrics,
      names: new KeycloakNames(),
      ...options,
    };
    const directory = createKeycloakDirectory({ api: createAdminApi(given), ...given });
    opened.push(directory);
    return directory;
  };
  const directory = open();
  return {
    keycloak,
    directory,
    open,
    onPath(part, fault) {
      keycloak.fault = (url, ...rest) => (url.pathname + url.search).includes(part) && fault(url, ...rest);
    },
    ids: async () =>
      (await directory.readAll(new AbortController().signal)).clients.map((client) => client.clientId),
    advance(ms) {
      nowMs += ms;
    },
    async stop() {
      for (const each of opened) await each.close();
      await keycloak.stop();
    },
  };
}

export function sent(send: () => unknown): boolean {
  send();
  return true;
}
