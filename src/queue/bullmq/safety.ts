import type { Redis } from 'ioredis';
import { messageOf, SyncError } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { RedisLink } from './redis-link.js';

const OLDEST_MAJOR = 6;

interface Settings {
  readonly evictionPolicy?: string | undefined;
  readonly appendOnly?: string | undefined;
  readonly appendFsync?: string | undefined;
  readonly version?: string | undefined;
  readonly replicas?: number | undefined;
  readonly leastReplicas?: string | undefined;
}

/**
 * Refuses a Redis that can lose acknowledged work: one that evicts keys, or that keeps no append-only file or
 * leaves its writing to the system's leisure. With `appendfsync everysec` a crash of the machine (not of Redis)
 * can lose a second. Throws SyncError ERR_QUEUE_UNSAFE, or ERR_QUEUE_UNREACHABLE.
 */
export async function checkSafety(link: RedisLink, allowUnsafe: boolean, logger: Logger): Promise<void> {
  await link.call((redis) => redis.ping());
  const settings = await link.call(readSettings);
  const faults = judge(settings);
  if (faults.length > 0) {
    const message = `Redis can lose acknowledged work: ${faults.join('; ')}`;
    if (!allowUnsafe) throw new SyncError('ERR_QUEUE_UNSAFE', message, { retriable: false });
    logger.warn({ faults }, 'redis is unsafe, allowed by configuration');
  }
  const { evictionPolicy, appendOnly, appendFsync } = settings;
  // Redis acknowledges a write before a replica has it. The limit bounds how far a replica that takes over is behind.
  if ((settings.replicas ?? 0) > 0 && settings.leastReplicas === '0')
    logger.warn(
      { replicas: settings.replicas },
      'Redis has replicas and accepts writes while none of them follows, so a failover can lose what it acknowledged; set min-replicas-to-write to 1',
    );
  if (evictionPolicy === undefined || appendOnly === undefined || appendFsync === undefined) {
    logger.warn({ settings }, 'Redis does not report all of its settings; check that it keeps every write');
  }
}

function judge(settings: Settings): string[] {
  const { evictionPolicy, appendOnly, appendFsync, version } = settings;
  const faults: string[] = [];
  if (version !== undefined && Number.parseInt(version, 10) < OLDEST_MAJOR) {
    faults.push(`version ${version} is too old; use ${OLDEST_MAJOR}.2 or newer`);
  }
  if (evictionPolicy !== undefined && evictionPolicy !== 'noeviction') {
    faults.push(`maxmemory-policy is ${evictionPolicy}; set it to noeviction`);
  }
  if (appendOnly === 'no') faults.push('appendonly is no; set it to yes');
  if (appendOnly !== 'no' && appendFsync === 'no') {
    faults.push('appendfsync is no; set it to everysec or always');
  }
  return faults;
}

// Managed Redis often forbids CONFIG. INFO reports most of it.
async function readSettings(redis: Redis): Promise<Settings> {
  const reported = await readReported(redis);
  try {
    return {
      version: reported.version,
      replicas: reported.replicas,
      leastReplicas: await readSetting(redis, 'min-replicas-to-write'),
      evictionPolicy: (await readSetting(redis, 'maxmemory-policy')) ?? reported.evictionPolicy,
      appendOnly: (await readSetting(redis, 'appendonly')) ?? reported.appendOnly,
      appendFsync: await readSetting(redis, 'appendfsync'),
    };
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return reported;
  }
}

async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  const reply: unknown = await redis.config('GET', name);
  const value: unknown = Array.isArray(reply) ? reply[1] : undefined;
  return typeof value === 'string' ? value : undefined;
}

async function readReported(redis: Redis): Promise<Settings> {
  try {
    const text = await redis.info();
    const line = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
    const enabled = line('aof_enabled');
    return {
      version: line('redis_version'),
      replicas: Number(line('connected_slaves') ?? 0),
      evictionPolicy: line('maxmemory_policy'),
      appendOnly: enabled === undefined ? undefined : enabled === '1' ? 'yes' : 'no',
    };
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {};
  }
}

function isForbidden(error: unknown): boolean {
  return /NOPERM|unknown (sub)?command|not allowed|ERR operation not permitted/i.test(messageOf(error));
}
