import { codeOf, IncompleteRead, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import type { ConsulRequest, Operation } from './request.js';

/** What an error says of a request. */
export type Sent = Pick<ConsulRequest, 'operation' | 'method'>;

/** The maximum length of Consul's text in errors and decisions. */
const TEXT_LIMIT = 300;

/**
 * Consul answers 500 both when it is unavailable and when it refuses a write, so the text decides. These texts mean
 * unavailable: no leader, a lost election, an unreachable server, an apply that timed out.
 */
const SICK =
  /no cluster leader|not the leader|leadership (lost|transfer)|leader not found|no known (consul )?servers|not ready to serve|\braft\b|failed to get conn|getting client|connection (refused|reset)|broken pipe|i\/o timeout|timed? ?out|timeout|deadline exceeded|\bEOF\b|rate limit|shutting ?down|no path to datacenter/i;

/** Consul works, but could not fetch an identity provider's keys for the write of a method or rule. */
const KEYS_UNFETCHED =
  /^(Invalid Auth Method: error checking \w+|auth method validator for "[^"]*" could not be initialized): /;

/** The error for an unexpected status. An answer that repeats the token is not quoted. */
export function refusalOf(request: Sent, status: number, body: Uint8Array, aclToken?: Secret): SyncError {
  const answer = new TextDecoder().decode(body.subarray(0, 4 * TEXT_LIMIT));
  const said = aclToken?.isShownIn(answer) === true ? 'the answer repeats the ACL token' : toLine(answer);
  const place = `Consul ${request.operation}`;
  if (status === 401 || status === 403) {
    return new SyncError('ERR_CONSUL_DENIED', `${place}: ${toLacking(said)}`, { retriable: false });
  }
  const words = said.replace(/^rpc error making call: /, '');
  if (status === 500 && request.operation === 'acl.write' && KEYS_UNFETCHED.test(words)) {
    const message = `${place}: Consul could not fetch the identity provider's keys: ${words}`;
    return new SyncError('ERR_CONSUL_REJECTED', message, { retriable: true });
  }
  // Quoted words are names: a service called `draft` does not mean that Consul is unavailable.
  const saysSick = SICK.test(said.replace(/"[^"]*"/g, ''));
  const sick = status === 429 || (status > 500 && status <= 599) || (status === 500 && saysSick);
  if (!sick && (status === 400 || (status > 400 && request.method !== 'GET'))) {
    return new SyncError('ERR_CONSUL_REJECTED', `${place}: Consul refused: ${words}`, { retriable: false });
  }
  return new SyncError('ERR_CONSUL_UNREACHABLE', `${place}: answered ${status}: ${said}`, {
    retriable: true,
  });
}

export function timeoutOf(request: Sent, timeoutMs: number): SyncError {
  const message = `Consul ${request.operation}: no complete answer within ${timeoutMs} ms`;
  return new SyncError('ERR_TIMEOUT', message, { retriable: true });
}

export function tooLongOf(operation: Operation, maxBytes: number): IncompleteRead {
  const message = `Consul ${operation}: the answer is longer than ${maxBytes} bytes; find in Consul what takes the room (tags, meta, sources) and remove it`;
  return new IncompleteRead('ERR_CONSUL_INCOMPLETE', message, { retriable: false });
}

/** The error for a connection that failed before or during an answer. */
export function failureOf(
  request: Sent,
  origin: string,
  status: number | undefined,
  cause: unknown,
): SyncError {
  const place = `Consul ${request.operation}`;
  if (status !== undefined && request.method === 'GET') {
    const message = `${place}: the answer was cut off`;
    return new IncompleteRead('ERR_CONSUL_INCOMPLETE', message, { retriable: true, cause });
  }
  const why = status === undefined ? codeOf(cause) : 'the answer was cut off';
  const keys = origin.startsWith('https:') ? 'consul.address and consul.tls are' : 'consul.address is';
  const message = `${place}: ${origin} cannot be reached (${why}); check that Consul runs there and that ${keys} correct`;
  return new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true, cause });
}

/** Consul's text in one line; for a missing permission, what to grant. */
export function toRefusalText(answer: string): string {
  return /permission denied/i.test(answer) ? toLacking(toLine(answer)) : toLine(answer);
}

/** Consul: Permission denied: token with AccessorID '…' lacks permission 'intention:write' on "orders" */
function toLacking(said: string): string {
  if (/acl not found/i.test(said)) {
    return 'Consul does not know this ACL token (deleted or expired); set consul.token to a valid one';
  }
  const lacking = /lacks permission '([^']+)'(?: on ("[^"]*"))?/.exec(said);
  if (lacking === null) return `denied: ${said}`;
  const on = lacking[2] === undefined ? '' : ` on ${lacking[2]}`;
  const acl = /^acl:(read|write)$/.exec(lacking[1] ?? '');
  if (acl !== null) return `the ACL token lacks acl = "${acl[1]}"; add it to the policy of consul.token`;
  return `the ACL token lacks ${lacking[1]}${on}; grant it in the policy of consul.token`;
}

function toLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= TEXT_LIMIT ? line : `${line.slice(0, TEXT_LIMIT)}…`;
}
