import { Client, type Dispatcher } from 'undici';
import { codeOf, SyncError } from '../../errors.js';
import { HttpExchange } from '../../http-exchange.js';
import { backoffMs } from '../../repeat.js';
import type { Runtime } from '../../runtime.js';

/** In the order in which requests get a connection. */
const USES = ['change', 'read', 'watch'] as const;
export type Use = (typeof USES)[number];

/**
 * So many free connections are kept open, and a use leaves so many of them to the ones before it: a blocking query holds its
 * connection for half a minute, and many reads at once must not keep a revocation waiting.
 */
const SPARE = { change: 0, read: 4, watch: 4 } as const;
/** Reads and changes at once. Together with the blocking queries below the 200 that Consul allows per client. */
const MOST = 128;
/** Connections that are being opened at once. */
const MOST_OPENING = 16;
/** A free connection is used or closed after so long. */
const IDLE_MS = 5_000;
/** A free connection that ends within so long was never kept. */
const KEPT_MS = 1_000;
const PROBE_MS = 5_000;
/** Without a permission, and a few bytes. */
const PROBE = '/v1/status/leader';
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;
const CLOSED = new Error('the connections to Consul are closed');
/** Of a connection that Consul closed before it had read anything. */
const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const REFUSED =
  'Consul refuses further connections from this address (429); see which process holds them, or raise limits.http_max_conns_per_client';

interface Connection {
  readonly client: Client;
  usedAt: number;
}

interface Waiting {
  readonly use: Use;
  readonly options: Dispatcher.DispatchOptions;
  readonly exchange: HttpExchange;
  isOver: boolean;
}

export interface ConnectionOptions extends Pick<Runtime, 'clock' | 'metrics' | 'logger'> {
  readonly origin: string;
  /** Before the path of each request. */
  readonly prefix: string;
  readonly client: Client.Options;
}

/**
 * Connections to Consul. Consul takes only some from each address (`http_max_conns_per_client`, 200 by default), and answers
 * 429 on each further one. So a connection is tried out before a request is sent on it: where Consul refuses it, the request
 * waits for another one. Some stay open for what must not wait, because a process beside scopemesh may take all the others.
 */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #waiting: Record<Use, Set<Waiting>> = {
    change: new Set(),
    read: new Set(),
    watch: new Set(),
  };
  /** The one that was used last comes last, and is used next. */
  #free: Connection[] = [];
  readonly #open = new Set<Connection>();
  #opening = 0;
  /** Requests that reads and changes have under way. */
  #short = 0;
  #mostOpening = MOST_OPENING;
  #refusals = 0;
  #pausedUntil = 0;
  #pauseCause: unknown;
  /** Some proxies end a connection after each answer. Then none is opened ahead: that would never come to an end. */
  #areKept = true;
  #upkeep: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Sends the request once there is a connection for it. If none can be opened at all, the exchange fails. */
  dispatch(use: Use, options: Dispatcher.DispatchOptions, exchange: HttpExchange): void {
    if (this.#isClosed) {
      exchange.fail(CLOSED);
      return;
    }
    this.#upkeep ??= setInterval(() => void this.#keepUp(), IDLE_MS).unref();
    const request: Waiting = { use, options, exchange, isOver: false };
    const forget = () => {
      request.isOver = true;
      this.#waiting[use].delete(request);
    };
    exchange.answer.then(forget, forget);
    this.#waiting[use].add(request);
    this.#next();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#upkeep);
    this.#failWaiting(USES, CLOSED);
    await Promise.all([...this.#open].map(({ client }) => client.destroy()));
  }

  #next(): void {
    for (const use of USES)
      for (const request of this.#waiting[use]) {
        if (!this.#hasRoom(use)) break;
        const connection = this.#free.pop();
        if (connection === undefined) break;
        this.#waiting[use].delete(request);
        if (request.isOver) this.#free.push(connection);
        else this.#send(request, connection);
      }
    this.#grow();
  }

  #hasRoom(use: Use): boolean {
    if ((use === 'change' || use === 'read') && this.#short >= MOST) return false;
    // Where few can be opened, reads go one after the other. Blocking queries would end all other requests.
    const spare = use === 'read' ? Math.min(SPARE.read, this.#open.size - 1) : SPARE[use];
    return this.#free.length > (this.#areKept ? spare : 0);
  }

  #send({ use, options, exchange }: Waiting, connection: Connection): void {
    const isShort = use === 'change' || use === 'read';
    if (isShort) this.#short++;
    const end = (isUsable: boolean) => {
      if (isShort) this.#short--;
      if (isUsable) this.#release(connection);
      else this.#drop(connection);
      this.#next();
    };
    exchange.answer.then(
      ({ headers }) => end(headers.connection?.toLowerCase() !== 'close'),
      () => end(false),
    );
    connection.client.dispatch(options, exchange);
  }

  #release(connection: Connection): void {
    if (!this.#open.has(connection)) return;
    connection.usedAt = this.#options.clock.now();
    this.#free.push(connection);
  }

  /** A request that waits on it, and was not written yet, gets another one from its client. */
  #disconnected(connection: Connection): void {
    if (!this.#free.includes(connection)) return;
    if (this.#options.clock.now() - connection.usedAt < KEPT_MS) this.#areKept = false;
    this.#drop(connection);
    this.#next();
  }

  #drop(connection: Connection): void {
    this.#open.delete(connection);
    this.#free = this.#free.filter((each) => each !== connection);
    connection.client.destroy().catch(() => {});
    this.#options.metrics.gauge('scopemesh_consul_connections', this.#open.size);
  }

  /** Opens as many as are missing for what waits, and for the spare ones. */
  #grow(): void {
    if (this.#isClosed) return;
    const isFull = this.#short >= MOST;
    const { change, read, watch } = this.#waiting;
    const waiting = watch.size + (isFull ? 0 : change.size + read.size);
    if (waiting + this.#open.size === 0) return;
    if (this.#open.size + this.#opening === 0 && this.#isPaused()) this.#failWaiting(USES, this.#pauseCause);
    let missing = waiting + (this.#areKept ? SPARE.watch : 0) - this.#free.length - this.#opening;
    while (missing-- > 0 && this.#opening < this.#mostOpening && !this.#isPaused()) this.#add();
  }

  #isPaused(): boolean {
    const leftMs = this.#pausedUntil - this.#options.clock.now();
    return leftMs > 0 && leftMs <= MAX_PAUSE_MS;
  }

  #add(): void {
    const { origin, client: options, metrics } = this.#options;
    this.#opening++;
    const client = new Client(origin, options);
    const connection: Connection = { client, usedAt: this.#options.clock.now() };
    this.#probe(connection).then(
      (status) => {
        this.#opening--;
        if (status === 429 || this.#isClosed) {
          client.destroy().catch(() => {});
          this.#refused();
        } else {
          this.#refusals = 0;
          this.#mostOpening = Math.min(MOST_OPENING, this.#mostOpening + 1);
          this.#open.add(connection);
          client.on('disconnect', () => this.#disconnected(connection));
          metrics.gauge('scopemesh_consul_connections', this.#open.size);
          this.#release(connection);
        }
        this.#next();
      },
      (error: unknown) => {
        this.#opening--;
        client.destroy().catch(() => {});
        if (RESET.has(codeOf(error))) this.#refused();
        else if (this.#open.size > 0) this.#pause(FIRST_PAUSE_MS, error);
        else if (this.#opening === 0) this.#failWaiting(USES, error);
        if (this.#open.size > 0) this.#next();
      },
    );
  }

  #refused(): void {
    if (this.#isClosed) return;
    const { metrics, logger } = this.#options;
    metrics.count('scopemesh_consul_connections_refused_total');
    this.#mostOpening = Math.max(1, Math.floor(this.#mostOpening / 2));
    const error = new SyncError('ERR_CONSUL_UNREACHABLE', REFUSED, { retriable: true });
    if (!this.#isPaused()) {
      if (this.#refusals === 0) logger.warn({ open: this.#open.size }, REFUSED);
      this.#refusals++;
      this.#pause(backoffMs(this.#refusals, FIRST_PAUSE_MS, MAX_PAUSE_MS), error);
    }
    if (this.#open.size + this.#opening === 0) this.#failWaiting(USES, error);
    // It would wait for as long as the others are held.
    if (this.#free.length <= SPARE.watch) this.#failWaiting(['watch'], error);
  }

  /** No further connection is opened for so long. */
  #pause(ms: number, cause: unknown): void {
    this.#pausedUntil = this.#options.clock.now() + ms;
    this.#pauseCause = cause;
  }

  #failWaiting(uses: readonly Use[], error: unknown): void {
    for (const use of uses) {
      const waiting = [...this.#waiting[use]];
      this.#waiting[use].clear();
      for (const { exchange } of waiting) exchange.fail(error);
    }
  }

  /** Closes what was not needed for a while, and tries out what stays: a proxy may have forgotten it. */
  async #keepUp(): Promise<void> {
    const { clock } = this.#options;
    const isIdle = ({ usedAt }: Connection) => clock.now() - usedAt >= IDLE_MS;
    const idle = this.#free.filter(isIdle);
    const closing = idle.slice(0, Math.max(0, this.#free.length - 2 * SPARE.watch));
    for (const connection of closing) this.#drop(connection);
    for (const connection of idle.slice(closing.length)) {
      // Another request may have taken it.
      if (!this.#free.includes(connection)) continue;
      this.#free = this.#free.filter((each) => each !== connection);
      const isAlive = await this.#probe(connection).then(
        () => true,
        () => false,
      );
      if (isAlive) {
        this.#areKept = true;
        this.#release(connection);
      } else this.#drop(connection);
    }
    this.#next();
  }

  async #probe({ client }: Connection): Promise<number> {
    const exchange = new HttpExchange({
      maxBytes: 64 * 1024,
      tooLong: () => new Error('no answer of Consul'),
    });
    const timeout = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => exchange.fail(timeout), PROBE_MS);
    client.dispatch({ path: this.#options.prefix + PROBE, method: 'GET' }, exchange);
    return exchange.answer.then(({ status }) => status).finally(() => clearTimeout(timer));
  }
}
