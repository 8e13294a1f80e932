import { Agent, type Dispatcher } from 'undici';
import { z } from 'zod';
import type { DaemonSettings } from '../../config/load.js';
import { readApiToken } from '../app/api-token.js';
import { messageOf, SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import { definedFields } from '../model/defined-fields.js';
import { jsonIn } from '../model/json-in.js';
import type { Cli } from './cli.js';

/** The daemon of this configuration, if it runs on this machine. */
export interface DaemonClient {
  /** Where it answers: `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The answer of `/statusz`; undefined if the daemon refused it. */
  readonly status: unknown;
  /** Why the daemon refused its status. */
  readonly refusal: string | undefined;
  /** What it answers at another path of its status; undefined if that cannot be read. */
  read<T>(path: string, answer: z.ZodType<T>): Promise<T | undefined>;
  /** Throws the daemon's error, and ERR_CONFIG if the token file cannot be read. `unknown`: what a 404 means. */
  post<T>(path: string, body: object, answer: z.ZodType<T>, more?: Post<T>): Promise<T>;
}

interface Post<T> {
  readonly timeoutMs?: number;
  readonly unknown?: string | (() => Promise<T>);
}

const TIMEOUT_MS = 5_000;
type Sent = Partial<Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body'>>;
const StatusBody = z.object({ owner: z.string() });
const ErrorBody = z.object({ error: z.string(), detail: z.string().exactOptional() });

/** Undefined if nothing, or another program or instance, answers at `http.admin` or `http.listen`. */
export async function findDaemon(
  config: DaemonSettings,
  signal: AbortSignal,
): Promise<DaemonClient | undefined> {
  const { host, port } = config.http.admin ?? config.http.listen;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const address = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  // Not `fetch`, which takes Node.js a twentieth of a second to load. Idle connections keep no command alive.
  const agent = new Agent();
  /** The answer with its text. Rejects after the time. */
  const send = (path: string, init: Sent, timeoutMs = TIMEOUT_MS) =>
    withLinkedSignal(
      [signal],
      async (stop) => {
        const answer = await agent.request({ method: 'GET', ...init, origin: address, path, signal: stop });
        return { answer, text: await answer.body.text() };
      },
      timeoutMs,
    );
  const authorize = async () => ({
    authorization: `Bearer ${(await readApiToken(config)).reveal()}`,
  });
  const get = async (path: string) => {
    const plain = await send(path, {});
    // On a loopback listener the status needs no token. A token goes only to a daemon that asks for it.
    if (plain.answer.statusCode !== 401 || !isFromScopemesh(plain.answer)) return plain;
    return send(path, { headers: await authorize() });
  };
  let status: unknown;
  let refused: string | undefined;
  try {
    const { answer, text } = await get('/statusz');
    const said: unknown = JSON.parse(text);
    if (isFromScopemesh(answer)) refused = errorText(said, answer.statusCode);
    else {
      status = said;
      const known = StatusBody.safeParse(status);
      if (!known.success || known.data.owner !== config.owner) return undefined;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SyncError)) return undefined;
    refused = error.message;
  }
  return {
    address,
    status,
    refusal: refused,
    async read(path, schema) {
      try {
        return schema.safeParse(JSON.parse((await get(path)).text)).data;
      } catch {
        signal.throwIfAborted();
        return undefined;
      }
    },
    async post(path, body, schema, { timeoutMs, unknown } = {}) {
      const headers = { 'content-type': 'application/json', ...(await authorize()) };
      const posted = send(path, { method: 'POST', headers, body: JSON.stringify(body) }, timeoutMs);
      const { answer, text } = await posted.catch((error: unknown) => {
        throw refusal(`the daemon did not answer: ${messageOf(error)}`);
      });
      if (answer.statusCode === 404 && unknown !== undefined) {
        if (typeof unknown !== 'string') return unknown();
        throw refusal(unknown);
      }
      const said = jsonIn(text);
      if (answer.statusCode >= 300) throw refusal(errorText(said, answer.statusCode));
      return inThisVersion(said, schema);
    },
  };
}

const NO_DAEMON =
  'no daemon of this configuration answers at http.admin, or at http.listen without one, and what people decide is decided there: start scopemesh run, or run this command on the machine of the leader; who runs scopemesh apply alone approves a held change with scopemesh apply --approve ID';

/** For a command that needs the daemon. Throws ERR_INTERNAL without one. */
export async function runningDaemon(cli: Pick<Cli, 'openDaemonSettings' | 'signal'>): Promise<DaemonClient> {
  const daemon = await findDaemon(await cli.openDaemonSettings(), cli.signal);
  if (daemon === undefined) throw refusal(NO_DAEMON);
  return daemon;
}

/** Asks the daemon for a change in the name of the user. */
export async function askDaemon<T>(
  cli: Pick<Cli, 'openDaemonSettings' | 'signal' | 'context'>,
  path: string,
  body: object,
  answer: z.ZodType<T>,
  unknown?: string,
): Promise<T> {
  const daemon = await runningDaemon(cli);
  return daemon.post(path, { user: cli.context.user, ...body }, answer, definedFields({ unknown }));
}

/** The status of a daemon that shows it, as the schema reads it. */
export function statusOf<T>({ status, refusal: refused }: DaemonClient, schema: z.ZodType<T>): T {
  if (refused !== undefined) throw refusal(`the daemon does not show its status: ${refused}`);
  return inThisVersion(status, schema);
}

/** For a command that goes on without the status. */
export function warnOfRefusal(daemon: DaemonClient | undefined, cli: Pick<Cli, 'screen'>): void {
  if (daemon?.refusal === undefined) return;
  cli.screen.warn(`scopemesh: the daemon does not show its status: ${daemon.refusal}`);
}

/** Whether it is an answer by which the daemon asks for a token. */
function isFromScopemesh({ headers }: Dispatcher.ResponseData): boolean {
  return headers['www-authenticate'] === 'Bearer realm="scopemesh"';
}

function errorText(said: unknown, status: number): string {
  const parsed = ErrorBody.safeParse(said);
  return parsed.success ? refusalText(parsed.data) : `the daemon answered ${status}`;
}

export function refusalText({ error, detail = '' }: z.infer<typeof ErrorBody>): string {
  return [error, detail].filter((part) => part !== '').join(': ');
}

/** Throws for a daemon that answers in another form than this version reads. */
function inThisVersion<T>(said: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(said);
  if (parsed.success) return parsed.data;
  throw refusal('the running daemon has another version; restart it with this one');
}

export function refusal(message: string): SyncError {
  return new SyncError('ERR_INTERNAL', message, { retriable: false });
}
