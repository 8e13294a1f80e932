import { isDeepStrictEqual } from 'node:util';
import type { KeySetServer } from '../../support/key-set-server.js';
import type { Call, ConsulUnderTest, Exchange, Expectation, Scenario } from './exchange.js';
import { identityProvider } from './identity-provider.js';
import { Labels } from './labels.js';
import { resetConsul } from './reset.js';

/** Longest that any single answer may take, beyond what a query was asked to wait. */
const answerTimeoutMs = 30_000;

/** A query waits so many times as long as the slowest answer before it, so that the calls meanwhile find it waiting. */
const waitPerAnswer = 4;
const longestWaitMs = 10_000;

/** How long queries wait at most unless answers are slow; without one, as long as the exchange says. */
export interface QueryWaits {
  /** Those that are to be woken. */
  readonly wokenMs?: number;
  /** Those that are to wait to the end. */
  readonly endedMs?: number;
}

export interface ExchangeFailure {
  readonly scenario: string;
  readonly exchange: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

/** The state of one scenario on one server: what was saved, and what values are called. */
export class ScenarioRun {
  readonly #server: ConsulUnderTest;
  readonly #idp: KeySetServer;
  readonly #waits: QueryWaits;
  readonly #labels: Labels;
  readonly #saved = new Map<string, string>();
  readonly #lastIndexes = new Map<string, number>();
  #slowestMs = 0;

  private constructor(server: ConsulUnderTest, nodeName: string, idp: KeySetServer, waits: QueryWaits) {
    this.#server = server;
    this.#idp = idp;
    this.#waits = waits;
    this.#labels = new Labels(nodeName, idp);
    this.#saved.set('node', nodeName);
    this.#saved.set('idp', idp.address);
    // Escaped, since it is put into a JSON text.
    this.#saved.set('publicKey', JSON.stringify(idp.publicKey).slice(1, -1));
  }

  /** Empties the server first. */
  static async begin(server: ConsulUnderTest, waits: QueryWaits = {}): Promise<ScenarioRun> {
    const nodeName = await resetConsul(server);
    return new ScenarioRun(server, nodeName, await identityProvider(), waits);
  }

  /** Makes the exchange and says what came, in the form of an expectation. */
  async answer(exchange: Exchange): Promise<Expectation> {
    if (exchange.blocks === undefined)
      return this.#observe(exchange, await this.#send(exchange, exchange.path));
    const { wait, index, meanwhile } = exchange.blocks;
    const from = index ?? (await this.#send(exchange, exchange.path)).headers.get('x-consul-index') ?? '1';
    const separator = exchange.path.includes('?') ? '&' : '?';
    const calls = meanwhile?.length ?? 0;
    const enoughMs = Math.min(Math.ceil(waitPerAnswer * calls * this.#slowestMs), longestWaitMs);
    const { wokenMs, endedMs } = this.#waits;
    const mostMs = exchange.expected.woken === true ? wokenMs : endedMs;
    const waitMs = Math.max(Math.min(milliseconds(wait), mostMs ?? longestWaitMs), enoughMs);
    const started = performance.now();
    const pending = this.#send(
      exchange,
      `${exchange.path}${separator}index=${from}&wait=${waitMs}ms`,
      waitMs,
    );
    for (const call of meanwhile ?? []) {
      const done = await this.#send(call, call.path);
      if (done.status >= 400) throw new Error(`${call.method} ${call.path}: ${done.status} ${done.text}`);
    }
    const received = await pending;
    const woken = performance.now() - started < waitMs;
    return { ...this.#observe(exchange, received), woken };
  }

  #observe(exchange: Exchange, received: Received): Expectation {
    const { headers, status } = received;
    const json = headers.get('content-type')?.includes('json') === true ? parse(received.text) : undefined;
    for (const [name, path] of Object.entries(exchange.save ?? {})) this.#saved.set(name, read(json, path));
    const index = headers.get('x-consul-index');
    // A refusal carries the index of a query that never ran, in some releases and paths only.
    const hasIndex = index !== null && (status < 400 || status === 404);
    if (hasIndex) this.#requireForward(exchange.path, Number(index));
    const filtered = headers.get('x-consul-results-filtered-by-acls');
    const consistency = headers.get('x-consul-effective-consistency');
    const allow = headers.get('allow');
    return {
      status,
      body: json === undefined ? this.#labels.text(received.text) : this.#labels.value(json),
      ...(hasIndex ? { index: this.#labels.index(index) } : {}),
      ...(filtered === null ? {} : { filtered }),
      ...(consistency === null ? {} : { consistency }),
      ...(allow === null ? {} : { allow }),
    };
  }

  #requireForward(path: string, index: number): void {
    const before = this.#lastIndexes.get(path) ?? 0;
    if (index < 1 || index < before) throw new Error(`the index of ${path} went from ${before} to ${index}`);
    this.#lastIndexes.set(path, index);
  }

  async #send(call: Call, path: string, waitMs = 0): Promise<Received> {
    const token = this.#tokenOf(call.as);
    const signed = { ...call, body: await this.#sign(call.body) };
    const began = performance.now();
    // As `fetch` accepts gzip, Consul sends the headers that it sets after the status of a 404, such as the index.
    const response = await fetch(`${this.#server.address}${this.#fill(path)}`, {
      method: call.method,
      headers: token === undefined ? {} : { 'X-Consul-Token': token },
      signal: AbortSignal.timeout(answerTimeoutMs + waitMs * 2),
      ...bodyOf(signed, (text) => this.#fill(text)),
    });
    const text = await response.text();
    if (waitMs === 0) this.#slowestMs = Math.max(this.#slowestMs, performance.now() - began);
    return { status: response.status, headers: response.headers, text };
  }

  /** Puts a JWT in the place of each `$jwt` and `$forgedJwt`. */
  async #sign(value: unknown): Promise<unknown> {
    const { $jwt: claims, $forgedJwt: forged } = Object(value ?? {});
    if (claims !== undefined) return this.#idp.sign(this.#fillAll(claims));
    if (forged !== undefined) return this.#idp.forge(this.#fillAll(forged));
    if (Array.isArray(value)) return Promise.all(value.map((item) => this.#sign(item)));
    if (typeof value !== 'object' || value === null) return value;
    const signed = Object.entries(value).map(async ([name, inner]) => [name, await this.#sign(inner)]);
    return Object.fromEntries(await Promise.all(signed));
  }

  #tokenOf(as: string | undefined): string | undefined {
    if (as === undefined) return this.#server.managementToken;
    if (as === 'nobody') return undefined;
    if (as === 'stranger') return '9d4b1f7e-93a3-4f9e-8f5c-c0ffee000000';
    const saved = this.#saved.get(as);
    if (saved === undefined) throw new Error(`no token was saved as ${as}`);
    return saved;
  }

  #fillAll(claims: unknown): Readonly<Record<string, unknown>> {
    return Object(JSON.parse(this.#fill(JSON.stringify(claims))));
  }

  #fill(text: string): string {
    return text.replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
      const saved = this.#saved.get(name);
      if (saved === undefined) throw new Error(`nothing was saved as ${name}`);
      return saved;
    });
  }
}

/** Runs scenarios one after the other; resolves to what did not come as expected, at most `most` of it. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  server: ConsulUnderTest,
  most = Number.POSITIVE_INFINITY,
  waits: QueryWaits = {},
): Promise<ExchangeFailure[]> {
  const failures: ExchangeFailure[] = [];
  for (const scenario of scenarios) {
    const run = await ScenarioRun.begin(server, waits);
    for (const exchange of scenario.exchanges) {
      const actual = await run.answer(exchange).catch((error: unknown) => String(error));
      if (isDeepStrictEqual(actual, exchange.expected)) continue;
      failures.push({
        scenario: scenario.name,
        exchange: exchange.name,
        expected: exchange.expected,
        actual,
      });
      if (failures.length >= most) return failures;
    }
  }
  return failures;
}

interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

function bodyOf(call: Call, fill: (text: string) => string): { body?: string } {
  if (call.text !== undefined) return { body: fill(call.text) };
  if (call.body === undefined) return {};
  // "#{{name}}" is a saved value sent as a number.
  return { body: fill(JSON.stringify(call.body)).replace(/"#(\d+)"/g, '$1') };
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

function read(json: unknown, path: string): string {
  let value = json;
  for (const step of path.split('.')) value = Object(value)[step];
  if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`the answer has no ${path}`);
  return String(value);
}

function milliseconds(wait: string): number {
  const match = /^(\d+)(ms|s)$/.exec(wait);
  if (match === null) throw new Error(`not a wait: ${wait}`);
  return Number(match[1]) * (match[2] === 's' ? 1000 : 1);
}
