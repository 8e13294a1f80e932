import { describe, expect, it } from 'vitest';
import type { Cli } from '../../src/cli/cli.js';
import { withConsul } from '../../src/cli/with-consul.js';
import type { Consul } from '../../src/consul/consul.js';

/** Only what `withConsul` asks of them. */
function rig(close: () => Promise<void>) {
  const opened: unknown[] = [];
  const consul = { close } as Consul;
  const openConsul = async (...args: readonly unknown[]) => {
    opened.push(args);
    return consul;
  };
  const cli = {
    context: { adapters: async () => ({ openConsul }) },
    runtime: (quiet: boolean) => ({ quiet }),
  } as unknown as Cli;
  return { opened, consul, cli };
}

const CONFIG = { consul: { address: 'http://consul' }, owner: 'pay' };

describe('a command that writes nothing', () => {
  it('uses the configured Consul and closes it, also if it fails', async () => {
    let closed = 0;
    const { opened, consul, cli } = rig(async () => void closed++);
    expect(await withConsul(cli, CONFIG, async (given) => given === consul)).toBe(true);
    expect(opened).toEqual([[CONFIG.consul, 'pay', { quiet: true }]]);
    expect(closed).toBe(1);
    const failed = withConsul(cli, CONFIG, () => Promise.reject(new Error('denied')));
    await expect(failed).rejects.toThrow('denied');
    expect(closed).toBe(2);
  });

  it('answers although its connections cannot be closed', async () => {
    const { cli } = rig(() => Promise.reject(new Error('gone')));
    expect(await withConsul(cli, CONFIG, async () => 'answer')).toBe('answer');
  });
});
