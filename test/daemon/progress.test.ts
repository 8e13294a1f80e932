import { describe, expect, it } from 'vitest';
import { Progress } from '../../src/daemon/progress.js';
import { runWatchdog } from '../../src/daemon/watchdog.js';
import { clientKey, directoryKey, type Key } from '../../src/model/key.js';
import { silentLogger } from '../../src/observe.js';
import type { FollowUps } from '../../src/queue/follow-ups.js';

const MINUTE = 60_000;
const WEB = clientKey('main', 'web');
const NO_FOLLOW_UPS: FollowUps = {
  add: async () => {},
  note() {},
  addLater() {},
  late: () => [],
  sees: () => false,
};

function scene() {
  let now = 0;
  const clock = { now: () => now, sleep: async () => {} };
  const progress = new Progress(clock);
  return {
    progress,
    advance: (ms: number) => {
      now += ms;
    },
    now: () => now,
    /** Runs a job until the returned function is called. */
    begin(key: Key): () => Promise<void> {
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const handler = progress.observe(async () => {
        await ended;
        return { kind: 'done' };
      });
      const running = handler(
        { key, triggers: [], attempts: 0 },
        new AbortController().signal,
        NO_FOLLOW_UPS,
      );
      return async () => {
        end();
        await running;
      };
    },
  };
}

describe('the work of the daemon', () => {
  it('is stuck if a job does not end, and goes on once it has ended', async () => {
    const { progress, advance, begin } = scene();
    const end = begin(WEB);
    advance(10 * MINUTE);
    expect(progress.stuck(0, {}, undefined)).toBeUndefined();
    advance(1);
    expect(progress.stuck(0, {}, undefined)).toBe('the job of client/main/web does not end');
    await end();
    expect(progress.stuck(0, {}, undefined)).toBeUndefined();
  });

  it('is not stuck while a large directory is read', async () => {
    const { progress, advance, begin } = scene();
    const end = begin(directoryKey('main'));
    advance(60 * MINUTE);
    expect(progress.stuck(0, {}, undefined)).toBeUndefined();
    await end();
  });

  it('is stuck if jobs wait and none begins, but not before the first: Consul may be away', async () => {
    const { progress, advance, begin } = scene();
    advance(60 * MINUTE);
    expect(progress.stuck(3, {}, undefined)).toBeUndefined();
    await begin(WEB)();
    advance(11 * MINUTE);
    expect(progress.stuck(0, {}, undefined)).toBeUndefined();
    expect(progress.stuck(3, {}, undefined)).toBe('3 jobs wait and none begins');
  });

  it('is stuck if a watch is dead although Consul answers, and not while Consul is away', () => {
    const { progress, advance, now } = scene();
    advance(60 * MINUTE);
    const ages = { catalog: 5, intentions: 11 * 60 };
    expect(progress.stuck(0, ages, now())).toBe('the watch on intentions is dead');
    expect(progress.stuck(0, ages, now() - 10 * MINUTE)).toBeUndefined();
  });
});

it('the watchdog hears at half of its time that work goes on, and the metric and the log say if not', async () => {
  const stop = new AbortController();
  const said: string[] = [];
  const whys = [undefined, undefined, 'the job of x does not end', 'the job of x does not end', undefined];
  const supervisor = { watchdogMs: 4_000, tell: async (state: string) => void said.push(state) };
  await runWatchdog(
    supervisor,
    () => whys.shift(),
    {
      clock: {
        now: () => 0,
        sleep: async (ms) => {
          expect(ms).toBe(2_000);
          if (whys.length === 0) stop.abort();
        },
      },
      logger: { ...silentLogger, error: () => said.push('error'), info: () => said.push('info') },
      metrics: { count() {}, time() {}, gauge: (name, value) => said.push(`${name} ${value}`) },
    },
    stop.signal,
  );
  const [fine, stuck] = ['scopemesh_work_stuck 0', 'scopemesh_work_stuck 1'];
  expect(said).toEqual([
    ...[fine, 'WATCHDOG=1', fine, 'WATCHDOG=1', stuck, 'error', stuck],
    ...[fine, 'info', 'WATCHDOG=1'],
  ]);
});
