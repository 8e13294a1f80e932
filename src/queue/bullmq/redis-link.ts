import { Redis } from 'ioredis';
import { type Clock, steadyClock } from '../../clock.js';
import { leaseLost, messageOf, SyncError } from '../../errors.js';
import { Secret } from '../../model/secret.js';
import type { Logger } from '../../observe.js';
import { doublingMs } from '../../repeat.js';
import { createOutageLog, type OutageLog } from './outage-log.js';
import { LEASE_LOST, type Script } from './script.js';

const READY_TIMEOUT_MS = 3000;
const COMMAND_TIMEOUT_MS = 3000;
const CONNECT_TIMEOUT_MS = 3000;
const FIRST_RECONNECT_DELAY_MS = 50;
const MAX_RECONNECT_DELAY_MS = 1000;
// Longer than any blocking read of a worker (10 s); without it a connection that a firewall dropped hangs for
// as long as the kernel retransmits.
const WORKER_SOCKET_TIMEOUT_MS = 20_000;

/** Who may use the reserve of memory: what is for `journal` is not for `events`. */
export type MemoryUser = 'events' | 'journal';

/** What the parts of a store send their commands over. */
export interface ScriptLink {
  readonly prefix: string;
  call<T>(use: (redis: Redis) => Promise<T>): Promise<T>;
  run(script: Script, ...values: (string | number)[]): Promise<unknown>;
  /** Runs it in a restoration, while all other commands wait. */
  restore(redis: Redis, script: Script, ...values: (string | number)[]): Promise<unknown>;
  /**
   * `restore` is called before all other commands when Redis is another process than before: after a restart or a failover
   * it may lack what it had acknowledged. Returns what ends that.
   */
  whenOther(restore: Restorer): () => void;
}

/** `lostAt`: when this process noticed that the Redis before was away. */
export type Restorer = (redis: Redis, lostAt: number) => Promise<void>;

/**
 * The connections to one Redis. Commands fail with ERR_QUEUE_UNREACHABLE within a few seconds while it is away,
 * and nothing has to be restarted when it is back.
 */
export class RedisLink implements ScriptLink {
  readonly prefix: string;
  readonly #outage: OutageLog;
  readonly commands: Redis;
  readonly #url: string;
  readonly #address: string;
  readonly #password: Secret;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #loaded = new Set<Script>();
  #isClosed = false;
  #connecting: Promise<void> | undefined;
  #giveMemory: (user: MemoryUser) => Promise<boolean> = async () => false;
  readonly #restorers = new Set<Restorer>();
  /** The process of Redis that this connection had last. */
  #lastRun: string | undefined;
  #isChecked = false;
  #checking: Promise<void> | undefined;
  /** Undefined while it is there. */
  #lostAt: number | undefined;
  #backAt: number | undefined;
  /** The socket that sends the commands of this turn at its end. */
  #gathering: Redis['stream'] | undefined;

  constructor(url: string, prefix: string, logger: Logger, clock: Clock, outage?: OutageLog) {
    this.prefix = prefix;
    this.#url = url;
    this.#address = addressOf(url);
    this.#password = passwordOf(url);
    this.#logger = logger;
    this.#clock = clock;
    this.#outage = outage ?? createOutageLog(logger, clock, this.#address, (error) => this.#said(error));
    this.commands = new Redis(url, {
      ...reconnect,
      commandTimeout: COMMAND_TIMEOUT_MS,
      socketTimeout: COMMAND_TIMEOUT_MS,
      // Commands in flight when the connection breaks fail: the caller knows whether to repeat them.
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    });
    this.#watch(this.commands);
    this.commands.on('close', () => {
      this.#loaded.clear();
      this.#isChecked = false;
      this.#lostAt ??= this.#clock.now();
    });
  }

  get isReady(): boolean {
    return this.commands.status === 'ready';
  }

  /** Whether Redis came back less than `ms` ago, so that other processes may not have come back yet. */
  isBackWithin(ms: number): boolean {
    return this.#backAt !== undefined && steadyClock(this.#clock).now() - this.#backAt < ms;
  }

  /** A second connection to the same Redis, whose commands do not wait behind those of this one. */
  openSecond(): RedisLink {
    return new RedisLink(this.#url, this.prefix, this.#logger, this.#clock, this.#outage);
  }

  /** A connection for a worker, which waits for Redis as long as it takes. */
  openWorkerConnection(): WorkerConnection {
    const connection = new WorkerConnection(this.#url);
    this.#watch(connection);
    return connection;
  }

  /** The same connection, whose scripts throw ERR_LEASE_LOST and do nothing once the store has another epoch. */
  fencedBy(epoch: number): ScriptLink {
    return {
      prefix: this.prefix,
      call: (use) => this.call(use),
      run: (script, ...values) => this.run(script.fenced, ...values, epoch),
      restore: (redis, script, ...values) => this.restore(redis, script.fenced, ...values, epoch),
      whenOther: (restore) => this.whenOther(restore),
    };
  }

  /** `give` is called when Redis has no memory for a write. True: there may be room now, so the call is repeated. */
  whenFull(give: (user: MemoryUser) => Promise<boolean>): void {
    this.#giveMemory = give;
  }

  whenOther(restore: Restorer): () => void {
    this.#restorers.add(restore);
    return () => this.#restorers.delete(restore);
  }

  restore(redis: Redis, script: Script, ...values: (string | number)[]): Promise<unknown> {
    return script.run(redis, this.prefix, values);
  }

  /**
   * Throws SyncError ERR_QUEUE_UNREACHABLE for whatever Redis or the way to it does. `reserve`: which part of the reserve of
   * memory may be given for it.
   */
  async call<T>(use: (redis: Redis) => Promise<T>, reserve: MemoryUser | 'none' = 'journal'): Promise<T> {
    for (;;) {
      try {
        await this.#ready();
        return await use(this.commands);
      } catch (error) {
        if (error instanceof SyncError) throw error;
        if (error instanceof Error && error.message.startsWith(LEASE_LOST)) throw leaseLost();
        if (reserve !== 'none' && isOutOfMemory(error) && (await this.#giveMemory(reserve))) continue;
        throw this.#unreachable(this.#said(error));
      }
    }
  }

  /**
   * Calls of one turn go out in one write to the socket, and Redis runs them in the order of the calls. A connection sends
   * the whole text of a script the first time, because a retry after NOSCRIPT would change that order.
   */
  run(script: Script, ...values: (string | number)[]): Promise<unknown> {
    return this.call((redis) => this.#runIn(redis, script, values));
  }

  /** As `run`, for what can wait: the reserve of memory is not given for it. */
  runIfRoom(script: Script, ...values: (string | number)[]): Promise<unknown> {
    return this.call((redis) => this.#runIn(redis, script, values), 'none');
  }

  #runIn(redis: Redis, script: Script, values: readonly (string | number)[]): Promise<unknown> {
    const isLoaded = this.#loaded.has(script);
    this.#loaded.add(script);
    this.#gather(redis);
    return script.run(redis, this.prefix, values, isLoaded);
  }

  #gather({ stream }: Redis): void {
    if (this.#gathering === stream) return;
    this.#gathering = stream;
    stream.cork();
    setImmediate(() => {
      this.#gathering = undefined;
      stream.uncork();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.commands.disconnect();
  }

  // A connection that breaks and comes back within moments should not fail a call.
  async #ready(): Promise<void> {
    if (this.#isClosed) throw this.#unreachable('the store is closed');
    if (!this.isReady) {
      this.#connecting ??= this.#untilReady().finally(() => {
        this.#connecting = undefined;
      });
      await this.#connecting;
      if (!this.isReady) throw this.#unreachable('no connection');
    }
    if (this.#isChecked) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  async #check(): Promise<void> {
    const run = await readRun(this.commands);
    if (this.#lastRun !== undefined && (run === undefined || run !== this.#lastRun))
      for (const restore of this.#restorers) await restore(this.commands, this.#lostAt ?? this.#clock.now());
    this.#lastRun = run ?? '';
    if (this.#lostAt !== undefined) this.#backAt = steadyClock(this.#clock).now();
    if (this.isReady) this.#lostAt = undefined;
    this.#isChecked = this.isReady;
  }

  async #untilReady(): Promise<void> {
    const timer = new AbortController();
    let settle = () => {};
    const ready = new Promise<void>((resolve) => {
      settle = resolve;
    });
    for (const event of ['ready', 'end']) this.commands.once(event, settle);
    this.#clock.sleep(READY_TIMEOUT_MS, timer.signal).then(settle, () => {});
    await ready;
    timer.abort();
    for (const event of ['ready', 'end']) this.commands.off(event, settle);
  }

  /** Logs the failure of background work: as the outage, if there is one, or else as what it means. */
  noteFailure(error: unknown, meaning: string): void {
    if (this.isReady) this.#logger.warn({ error: this.#said(error) }, meaning);
    else if (!this.#isClosed) this.#outage.failed(this.commands, error);
  }

  #watch(connection: Redis): void {
    connection.on('error', (error) => {
      if (!this.#isClosed) this.#outage.failed(connection, error);
    });
    for (const event of ['ready', 'end']) connection.on(event, () => this.#outage.recovered(connection));
  }

  // A Redis that does not know AUTH repeats its arguments.
  #said(error: unknown): string {
    const said = messageOf(error);
    return this.#password.isShownIn(said) ? 'its answer repeats the password' : said;
  }

  // Without the error of the library as cause: it holds the command, and so the password after AUTH.
  #unreachable(why: string): SyncError {
    return new SyncError('ERR_QUEUE_UNREACHABLE', `Redis at ${this.#address} cannot be used: ${why}`, {
      retriable: true,
    });
  }
}

/** Keeps hold of the copy that BullMQ makes for its blocking reads, to be able to end it while Redis is away. */
class WorkerConnection extends Redis {
  readonly #copies: Redis[] = [];

  constructor(url: string) {
    super(url, { ...reconnect, socketTimeout: WORKER_SOCKET_TIMEOUT_MS, maxRetriesPerRequest: null });
  }

  override duplicate(...override: Parameters<Redis['duplicate']>): Redis {
    const copy = super.duplicate(...override);
    this.#copies.push(copy);
    return copy;
  }

  disconnectAll(): void {
    for (const connection of [this, ...this.#copies]) connection.disconnect();
  }
}

const reconnect = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  // Nothing of it is random: a revocation waits for the connection, and a process has a few.
  retryStrategy: (times: number) => doublingMs(times, FIRST_RECONNECT_DELAY_MS, MAX_RECONNECT_DELAY_MS),
  // After a failover the old primary answers READONLY: look the address up again.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
};

export function isOutOfMemory(error: unknown): boolean {
  return messageOf(error).includes('OOM command not allowed');
}

/** Undefined if Redis does not say. */
async function readRun(redis: Redis): Promise<string | undefined> {
  try {
    return /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1];
  } catch (error) {
    if (/NOPERM|unknown command|not allowed/i.test(messageOf(error))) return undefined;
    throw error;
  }
}

function passwordOf(url: string): Secret {
  try {
    return new Secret(decodeURIComponent(new URL(url).password));
  } catch {
    return new Secret('');
  }
}

// Without user and password.
function addressOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return 'the configured address';
  }
}
