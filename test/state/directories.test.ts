import { describe, expect, it } from 'vitest';
import { clientText } from '../../src/plan/world.js';
import { Directories } from '../../src/state/directories.js';
import { client } from '../plan/scene.js';

const NOW = 1_800_000_000_000;
const id = (clientId: string, provider = 'main') => ({ provider, clientId });
const WEB = client('web', ['read'], { internalId: 'i-1' });
const JOB = client('job', []);
const read = (all: Directories, clientId: string) => all.clients('main').get(clientId);
const filled = () => {
  const all = new Directories();
  all.putAll('main', [WEB, JOB], 10, NOW);
  return all;
};

describe('a read of one client', () => {
  it('before the first complete read is a read alone, and after it is not', () => {
    const all = new Directories();
    expect([all.complete.size, all.readAt('main'), all.clients('main').size]).toEqual([0, undefined, 0]);
    expect(all.put(id('web'), WEB, 1)).toEqual({ id: id('web'), before: undefined, after: WEB });
    expect(all.put(id('gone'), undefined, 2)).toEqual({
      id: id('gone'),
      before: undefined,
      after: undefined,
    });
    expect(all.put(id('gone'), undefined, 3)).toBeUndefined();
    expect([...all.readAlone.keys()]).toEqual([clientText(id('web')), clientText(id('gone'))]);
    all.put(id('far', 'other'), WEB, 4);
    all.putAll('main', [WEB], 5, NOW);
    expect([...all.readAlone.keys()]).toEqual([clientText(id('far', 'other'))]);
    all.put(id('job'), JOB, 6);
    expect([...all.readAlone.keys()]).toEqual([clientText(id('far', 'other'))]);
  });

  it('never undoes a newer one, alone or complete', () => {
    const all = filled();
    expect(all.put(id('web'), undefined, 9)).toBeUndefined();
    expect(read(all, 'web')).toBe(WEB);
    all.put(id('web'), undefined, 20);
    expect(all.putAll('main', [WEB], 15, NOW)?.map((each) => each.id.clientId)).toEqual(['job']);
    expect(read(all, 'web')).toBeUndefined();
    expect(all.putAll('main', [WEB], 14, NOW)).toBeUndefined();
    all.put(id('new'), client('new', []), 30);
    all.putAll('main', [], 25, NOW);
    expect(read(all, 'new')).toBeDefined();
  });

  it('without a difference is no change and keeps the object', () => {
    const all = filled();
    expect(all.put(id('web'), { ...WEB }, 11)).toBeUndefined();
    expect(read(all, 'web')).toBe(WEB);
    expect([...all.everybody()].map(({ before, after }) => before === after)).toEqual([true, true]);
  });
});

describe('the internal ID of a client', () => {
  it('leads to it until it has another or is gone, and never to one that took it over', () => {
    const all = filled();
    expect([all.clientIdOf('main', 'i-1'), all.clientIdOf('other', 'i-1')]).toEqual(['web', undefined]);
    all.put(id('web'), { ...WEB, internalId: 'i-2' }, 11);
    expect([all.clientIdOf('main', 'i-1'), all.clientIdOf('main', 'i-2')]).toEqual([undefined, 'web']);
    all.put(id('heir'), client('heir', [], { internalId: 'i-2' }), 12);
    all.put(id('web'), undefined, 13);
    expect(all.clientIdOf('main', 'i-2')).toBe('heir');
  });
});

describe('a client that cannot be parsed', () => {
  it('keeps what is known of it, and is reported once', () => {
    const all = filled();
    expect(all.putUnreadable(id('web'), 'broken', 11)).toEqual({ id: id('web'), before: WEB, after: WEB });
    expect(all.putUnreadable(id('web'), 'still', 12)).toBeUndefined();
    expect(all.putUnreadable(id('job'), 'late', 5)).toBeUndefined();
    expect([...all.unreadable]).toEqual([clientText(id('web'))]);
    expect([...all.unreadableOf('main').clients]).toEqual([['web', 'still']]);
    expect(all.unreadableOf('other')).toEqual({ clients: new Map(), hasUnnamed: false });
    expect(read(all, 'web')).toBe(WEB);
    expect(all.put(id('web'), WEB, 13)).toEqual({ id: id('web'), before: WEB, after: WEB });
    expect([all.unreadable.size, all.put(id('web'), WEB, 14)]).toEqual([0, undefined]);
  });

  it('is not read alone any more', () => {
    const all = new Directories();
    all.put(id('web'), WEB, 1);
    all.putUnreadable(id('web'), 'broken', 2);
    expect(all.readAlone.size).toBe(0);
  });

  it('in a complete read keeps what is known, and the others change', () => {
    const all = filled();
    const changes = all.putAll('main', [], 11, NOW, [{ clientId: 'web', why: 'broken' }]);
    expect(changes).toEqual([
      { id: id('web'), before: WEB, after: WEB },
      { id: id('job'), before: JOB, after: undefined },
    ]);
    expect(read(all, 'web')).toBe(WEB);
    all.putAll('main', [JOB], 12, NOW);
    expect([all.unreadable.size, read(all, 'web')]).toEqual([0, undefined]);
  });
});

describe('a record without a readable client ID', () => {
  const spoilt = () => {
    const all = filled();
    all.putAll('main', [JOB], 11, NOW, [{ why: 'no ID' }]);
    return all;
  };

  it('keeps every client that the read lacks, as it may be that one', () => {
    const all = spoilt();
    expect(all.unreadableOf('main').hasUnnamed).toBe(true);
    expect([...all.unreadableOf('main').clients.keys()]).toEqual(['web']);
    expect(read(all, 'web')).toBe(WEB);
    expect(all.unnamed.has('main')).toBe(true);
    all.putAll('main', [JOB], 12, NOW);
    expect([read(all, 'web'), all.unnamed.has('main'), all.unreadableOf('main').hasUnnamed]).toEqual([
      undefined,
      false,
      false,
    ]);
  });

  it('does not keep a client that a later single read shows to be absent, until one shows it', () => {
    const all = spoilt();
    const absent = () => [...(all.unnamed.get('main') ?? [])];
    expect(absent()).toEqual([]);
    all.put(id('web'), undefined, 12);
    expect([absent(), read(all, 'web')]).toEqual([['web'], undefined]);
    all.put(id('web'), WEB, 13);
    expect(absent()).toEqual([]);
    all.put(id('web'), undefined, 14);
    all.putAll('main', [JOB], 15, NOW, [{ why: 'no ID' }]);
    expect(absent()).toEqual([]);
    all.put(id('web'), undefined, 20);
    all.putAll('main', [JOB], 17, NOW, [{ why: 'no ID' }]);
    expect(absent()).toEqual(['web']);
  });
});

describe('the age of a directory', () => {
  it('is that of the last complete read that showed at least half of its records', () => {
    const all = new Directories();
    const broken = (...ids: readonly (string | undefined)[]) =>
      ids.map((clientId) => (clientId === undefined ? { why: 'x' } : { clientId, why: 'x' }));
    all.putAll('main', [], 1, NOW, broken('a'));
    expect(all.readAt('main')).toBe(NOW);
    all.putAll('main', [WEB], 2, NOW + 1, broken('a', 'b'));
    expect(all.readAt('main')).toBe(NOW);
    all.putAll('main', [WEB], 3, NOW + 2, broken(undefined, undefined));
    expect(all.readAt('main')).toBe(NOW);
    all.putAll('main', [WEB, JOB], 4, NOW + 3, broken('a', undefined));
    expect(all.readAt('main')).toBe(NOW + 3);
    all.putAll('main', [WEB], 5, NOW + 4);
    expect(all.readAt('main')).toBe(NOW + 4);
  });

  it('is unknown again once the directory is forgotten', () => {
    const all = filled();
    expect([
      all.complete.has('main'),
      all.forget('main'),
      all.forget('main'),
      all.complete.has('main'),
    ]).toEqual([true, true, false, false]);
  });
});
