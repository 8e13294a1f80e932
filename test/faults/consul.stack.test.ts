import { until } from '../stack/process.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { isEqual, startWorld, type World } from './world.js';

const LOCAL = /^\/v1\/(config|catalog|internal|acl|kv|txn|session|agent|status)\b/;

/** Answers every request so, until it has met some and `end` comes. */
function refuses(status: number, headers: Readonly<Record<string, string>> = {}): Partial<Fault<World>> {
  let before = 0;
  return {
    begin: ({ way }) => {
      before = way.interfered;
      way.interfere = ({ path }) => (LOCAL.test(path) ? { status, headers } : undefined);
    },
    meanwhile: ({ way }) => until('requests meet it', () => way.interfered >= before + 5),
    end: passes,
  };
}

const passes = ({ way }: World) => {
  way.interfere = () => undefined;
};

const isWrite = (method: string, path: string) => method !== 'GET' && path.startsWith('/v1/config');

describeFaults('Consul', startWorld, [
  { name: 'answers 500', ...begin(refuses(500)), seconds: 3 },
  { name: 'answers 503', ...begin(refuses(503)), seconds: 3 },
  { name: 'answers 429', ...begin(refuses(429, { 'retry-after': '1' })), seconds: 3 },
  {
    name: 'makes writes, and their answers are lost',
    begin: ({ way }) => {
      let left = 4;
      way.interfere = ({ method, path }) =>
        isWrite(method, path) && left-- > 0 ? { cutAfter: true } : undefined;
    },
    seconds: 3,
    end: passes,
  },
  {
    name: 'is killed, and is away for 5 s',
    begin: ({ consul }) => consul.kill(),
    seconds: 5,
    end: ({ consul }) => consul.restart(),
  },
  { name: 'is restarted', begin: ({ consul }) => consul.restart() },
  {
    name: 'is away for 2 minutes',
    begin: ({ consul }) => consul.kill(),
    seconds: 120,
    end: ({ consul }) => consul.restart(),
    soak: true,
  },
  {
    name: 'is restored from an older snapshot',
    begin: async (world) => {
      snapshots.set(world, await takeSnapshot(world));
    },
    meanwhile: settled,
    end: (world) => restoreSnapshot(world, snapshots.get(world)),
    // The restore undoes writes that have their decisions.
    exact: false,
  },
  {
    name: 'answers with an index that goes backwards',
    begin: ({ way }) => {
      way.interfere = ({ method, path }) =>
        method === 'GET' && path.includes('index=') ? { headers: { 'x-consul-index': '1' } } : undefined;
    },
    seconds: 3,
    end: passes,
  },
  {
    name: 'has its entries changed by a person at the same time',
    begin: (world) => {
      persons.set(world, changeByHand(world));
    },
    end: (world) => persons.get(world),
    // Their changes of our edges are corrected by writes that the identity provider did not cause.
    exact: false,
  },
]);

const startWithLogins = () => startWorld({ configuration: { login: 'on' } });

/** Refuses the writes of one kind of object, between the steps of a grant and those of a revocation. */
const refusesWrites = (what: string, path: RegExp): Fault<World> => {
  let before = 0;
  return {
    name: `refuses to write ${what}`,
    begin: async (world) => {
      // So that the next change puts a deleted client back, which needs every kind of object.
      world.change();
      await settled(world);
      before = world.way.interfered;
      world.way.interfere = ({ method, path: to }) =>
        method !== 'GET' && path.test(to) ? { status: 500 } : undefined;
    },
    meanwhile: ({ way }) => until('a write is refused', () => way.interfered > before),
    seconds: 3,
    end: passes,
  };
};

async function settled(world: World): Promise<void> {
  await world.delivered();
  await until('Consul equals the identity provider', () => isEqual(world), { timeoutMs: 60_000 });
  await world.daemon.idle();
}

describeFaults('Consul with logins', startWithLogins, [
  refusesWrites('roles', /^\/v1\/acl\/role\b/),
  refusesWrites('binding rules', /^\/v1\/acl\/binding-rule\b/),
  refusesWrites('auth methods', /^\/v1\/acl\/auth-method\b/),
  refusesWrites('intentions', /^\/v1\/config\b/),
]);

function begin(part: Partial<Fault<World>>) {
  return { begin: () => {}, ...part };
}

const snapshots = new WeakMap<World, ArrayBuffer>();
const persons = new WeakMap<World, Promise<void>>();

async function takeSnapshot({ consul }: World): Promise<ArrayBuffer> {
  const answer = await fetch(`${consul.httpAddress}/v1/snapshot`, {
    headers: { 'x-consul-token': consul.managementToken },
  });
  if (!answer.ok) throw new Error(`the snapshot was answered ${answer.status}`);
  return answer.arrayBuffer();
}

async function restoreSnapshot({ consul }: World, snapshot: ArrayBuffer | undefined): Promise<void> {
  if (snapshot === undefined) throw new Error('no snapshot was taken');
  const answer = await fetch(`${consul.httpAddress}/v1/snapshot`, {
    method: 'PUT',
    headers: { 'x-consul-token': consul.managementToken },
    body: snapshot,
  });
  if (!answer.ok) throw new Error(`the restore was answered ${answer.status}: ${await answer.text()}`);
}

const CHANGES_BY_HAND = 30;

/**
 * A careful person: reads an entry, removes one source of it that is not theirs, and writes it with compare-and-set. Goes on
 * until scopemesh has written meanwhile.
 */
async function changeByHand({ consul, way }: World): Promise<void> {
  const { length } = way.writes;
  for (let at = 0; at < CHANGES_BY_HAND || way.writes.length === length; at++) {
    const name = `d-${at % 4}`;
    const entry = Object(
      await consul.request('GET', `/v1/config/service-intentions/${name}?consistent`).catch(() => ({})),
    );
    const sources: unknown[] = Array.isArray(entry.Sources) ? entry.Sources : [];
    const ours = sources.findIndex((each) => String(Object(each).Description).startsWith('scopemesh:demo '));
    if (ours < 0) continue;
    const Sources = sources.toSpliced(ours, 1);
    // Without a source left the entry goes; somebody else would have deleted it.
    if (Sources.length === 0) continue;
    await consul.request('PUT', `/v1/config?cas=${entry.ModifyIndex}`, { ...entry, Sources });
  }
}
