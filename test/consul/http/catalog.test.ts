import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import type { Consul } from '../../../src/consul/consul.js';
import { connect, type FaultServer, startFaultServer } from './fault-server.js';

const never = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A Consul of one service whose index, tags and health a test sets. */
async function start() {
  const state = { index: 50, tag: 'a', sick: false, now: 1_000 };
  const clock: Clock = { now: () => state.now, sleep: systemClock.sleep };
  const server: FaultServer = await startFaultServer((exchange) => {
    if (state.sick) return exchange.reply(500, 'No cluster leader');
    const headers = { 'X-Consul-Index': String(state.index) };
    const instance = { ServiceID: 'web', Node: 'n', ServiceTags: [state.tag] };
    if (exchange.url.pathname === '/v1/catalog/services') exchange.reply(200, { web: ['a'] }, headers);
    else if (exchange.url.pathname === '/v1/catalog/service/web') exchange.reply(200, [instance]);
    else exchange.reply(200, []);
  });
  closers.push(server.close);
  const consul = connect(server.address, { clock });
  closers.push(() => consul.close());
  const instanceReads = () => server.seen.filter((target) => target.includes('/catalog/service/')).length;
  return { state, consul, instanceReads };
}

async function tagsOf(consul: Consul): Promise<readonly string[] | undefined> {
  return (await consul.readCatalog(never)).services[0]?.instances[0]?.tags;
}

describe('the instances of the catalog', () => {
  it('are not read again while the index of the list stands still', async () => {
    const { consul, instanceReads } = await start();
    expect(await tagsOf(consul)).toEqual(['a']);
    expect(await tagsOf(consul)).toEqual(['a']);
    expect(instanceReads()).toBe(1);
  });

  it('are read again once the index moved, though the list looks the same', async () => {
    const { consul, state } = await start();
    await tagsOf(consul);
    Object.assign(state, { index: 51, tag: 'b' });
    expect(await tagsOf(consul)).toEqual(['b']);
  });

  it('are read again after an exchange of any kind failed: another cluster may have the same index', async () => {
    const { consul, state } = await start();
    await tagsOf(consul);
    Object.assign(state, { sick: true });
    await expect(consul.intentions.list(never)).rejects.toThrow('No cluster leader');
    Object.assign(state, { sick: false, tag: 'b' });
    expect(await tagsOf(consul)).toEqual(['b']);
  });

  it('are read again after the index went back and came to where it was', async () => {
    const { consul, state } = await start();
    await tagsOf(consul);
    Object.assign(state, { index: 20 });
    await expect(consul.readCatalog(never)).rejects.toThrow('went back');
    Object.assign(state, { index: 50, tag: 'b' });
    expect(await tagsOf(consul)).toEqual(['b']);
  });

  it('are read again after five minutes whatever the index says', async () => {
    const { consul, state, instanceReads } = await start();
    await tagsOf(consul);
    state.now += 299_999;
    await tagsOf(consul);
    expect(instanceReads()).toBe(1);
    state.now += 1;
    await tagsOf(consul);
    expect(instanceReads()).toBe(2);
  });
});
