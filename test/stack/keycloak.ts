import { copyFile, cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { installed } from './installed.js';
import { JAVA_OPTIONS } from './java.js';
import { KeycloakAdmin } from './keycloak-admin.js';
import { freePort } from './ports.js';
import { createRunDirectory, type ServerHandle, startServer } from './process.js';

export interface KeycloakOptions {
  port?: number;
  /** Added to `kc.sh start-dev`. A build option (a feature, a provider) makes every start half a minute longer. */
  args?: string[];
  /** Added to its environment. */
  env?: Record<string, string>;
  /** The files of realms that `--import-realm` finds. */
  realms?: readonly string[];
  signal?: AbortSignal;
}

export interface KeycloakHandle extends ServerHandle {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  readonly admin: KeycloakAdmin;
}

/** The administrator that install.sh made; the server listens on loopback alone. */
export const KEYCLOAK_ADMIN = { username: 'admin', password: 'admin' } as const;

/**
 * Starts Keycloak with the webhook extension from a copy of the prepared home: nothing of a run is seen by the
 * next. Resolves once its administrator can log in (about 8 s).
 */
export async function startKeycloak(options: KeycloakOptions = {}): Promise<KeycloakHandle> {
  const home = await installed('keycloak');
  const javaHome = await installed('java');
  const port = options.port ?? (await freePort());
  const address = `http://127.0.0.1:${port}`;
  const directory = await createRunDirectory('keycloak');
  await mkdir(join(directory, 'bin'));
  await copyFile(join(home, 'bin', 'kc.sh'), join(directory, 'bin', 'kc.sh'));
  await mkdir(join(directory, 'lib'));
  // A start with other build options writes its own build into `lib/quarkus`.
  for (const folder of ['conf', 'data', 'lib/quarkus'])
    await cp(join(home, folder), join(directory, folder), { recursive: true });
  const libraries = (await readdir(join(home, 'lib'))).filter((name) => name !== 'quarkus');
  for (const part of ['providers', 'themes', 'version.txt', ...libraries.map((name) => `lib/${name}`)])
    await symlink(join(home, part), join(directory, part));
  await mkdir(join(directory, 'data/import'), { recursive: true });
  for (const realm of options.realms ?? [])
    await copyFile(realm, join(directory, 'data/import', basename(realm)));
  const admin = new KeycloakAdmin(address, KEYCLOAK_ADMIN);

  const server = {
    name: 'keycloak',
    command: join(directory, 'bin', 'kc.sh'),
    args: [
      'start-dev',
      '--http-host=127.0.0.1',
      `--http-port=${port}`,
      // Both as in install.sh: other values make the start build the server again.
      '--cache=local',
      '--spi-events-store--provider=jpa',
      // Else a crash loses what the database wrote in the last half second.
      '--db-url-properties=;NON_KEYWORDS=VALUE;WRITE_DELAY=0',
      ...(options.args ?? []),
    ],
    env: {
      JAVA_HOME: javaHome,
      JAVA_OPTS: [...JAVA_OPTIONS, '-Xms256m', '-Xmx512m'].join(' '),
      ...options.env,
    },
  };
  const { signal } = options;
  const wait = { timeoutMs: 180_000, intervalMs: 200, ...(signal ? { signal } : {}) };
  const started = await startServer(directory, server, () => admin.canLogIn(), wait);
  return Object.assign(started, { address, admin });
}
