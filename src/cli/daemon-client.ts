import { z } from 'zod';
import type { Config } from '../../config/config.js';
import { abortAfter } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';

/** The daemon of this configuration, if it runs on this machine. */
export interface DaemonClient {
  /** The answer of `/statusz` when the daemon was found. */
  readonly status: unknown;
  /** Throws the daemon's error; undefined for its 404. */
  post(path: string, body: object): Promise<unknown>;
}

const TIMEOUT_MS = 5_000;
const StatusBody = z.object({ owner: z.string() });
const ErrorBody = z.object({ error: z.string(), detail: z.string().optional() });

/** Undefined if nothing, or another program or instance, answers at `http.listen`. */
export async function findDaemon(config: Config, signal: AbortSignal): Promise<DaemonClient | undefined> {
  const { host, port } = config.http;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const base = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  const within = () => abortAfter(signal, TIMEOUT_MS);
  let status: unknown;
  try {
    const answer = await fetch(`${base}/statusz`, { signal: within() });
    status = await answer.json();
    const known = StatusBody.safeParse(status);
    if (!known.success || known.data.owner !== config.owner) return undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  return {
    status,
    async post(path, body) {
      const answer = await fetch(`${base}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: within(),
      }).catch((error: unknown) => {
        throw refusal(`the daemon did not answer: ${messageOf(error)}`);
      });
      if (answer.status === 404) return undefined;
      const said: unknown = await answer.json().catch(() => undefined);
      if (answer.ok) return said;
      const parsed = ErrorBody.safeParse(said);
      throw refusal(
        parsed.success
          ? [parsed.data.error, parsed.data.detail ?? ''].filter((part) => part !== '').join(': ')
          : `the daemon answered ${answer.status}`,
      );
    },
  };
}

function refusal(message: string): SyncError {
  return new SyncError('ERR_INTERNAL', message, { retriable: false });
}
