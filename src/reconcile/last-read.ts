import type { DirectorySnapshot } from '../identity/directory.js';
import type { ReconcilerDeps } from './deps.js';

/** The last complete read of a directory, kept for people. */
interface LastRead {
  /** ISO 8601. */
  readonly at: string;
  readonly clients: number;
  readonly requests: number;
}

/** The name of its value in the store. */
export function lastReadName(provider: string): string {
  return `directory/${provider}`;
}

// What scopemesh itself wrote.
export function parseLastRead(text: string | undefined): LastRead | undefined {
  return text === undefined ? undefined : JSON.parse(text);
}

/** Call it as soon as the read is in the state. */
export function measureRead(
  provider: string,
  { clients, requests }: DirectorySnapshot,
  { world, clock, metrics }: Pick<ReconcilerDeps, 'world' | 'clock' | 'metrics'>,
): void {
  metrics.gauge('scopemesh_directory_clients', clients.length, { provider });
  const readAt = world.directories.readAt(provider);
  if (readAt !== undefined)
    metrics.gauge('scopemesh_directory_age_seconds', (clock.now() - readAt) / 1000, { provider });
  metrics.gauge('scopemesh_directory_read_requests', requests, { provider });
}

/** Stores the read for people, and logs it. `changed`: the number of clients that it changed. */
export async function reportRead(
  provider: string,
  snapshot: DirectorySnapshot,
  changed: number,
  { world, clock, keyValues, logger }: Pick<ReconcilerDeps, 'world' | 'clock' | 'keyValues' | 'logger'>,
): Promise<void> {
  const { requests } = snapshot;
  const clients = snapshot.clients.length;
  // As the age in /statusz and the metric: of a read that showed most clients.
  const at = new Date(world.directories.readAt(provider) ?? clock.now()).toISOString();
  const lastRead: LastRead = { at, clients, requests };
  await keyValues.set(lastReadName(provider), JSON.stringify(lastRead));
  const unreadable = snapshot.unreadable.length;
  logger.info({ provider, clients, unreadable, changed, requests }, 'directory read completely');
}
