import { expect } from 'vitest';
import { edgesOfConsul } from '../e2e/crash-world.js';
import type { ScriptedAnswer } from '../identity/oidc/directory-server.js';
import { until } from '../stack/process.js';
import type { IdpClient } from '../support/idp.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { CLIENTS, startWorld, type World } from './world.js';

const isList = (path: string) => /^\/directory(\?|$)/.test(path);

/** Answers so instead, to lists only or to every read of the directory. */
function answers(answer: (path: string, world: World) => ScriptedAnswer | undefined) {
  return (world: World) => {
    const met = { lists: 0, all: 0 };
    world.idp.fault = (path) => {
      if (!path.startsWith('/directory')) return undefined;
      const faulty = answer(path, world);
      if (faulty !== undefined) {
        met.all++;
        if (isList(path)) met.lists++;
      }
      return faulty;
    };
    counts.set(world, met);
  };
}
const counts = new WeakMap<World, { lists: number; all: number }>();

/** Until the daemon has met it: complete reads come every two seconds. */
const isMet =
  (least = 2, of: 'lists' | 'all' = 'lists') =>
  async (world: World) => {
    const { daemon } = world;
    const met = () => (counts.get(world)?.[of] ?? 0) >= least;
    await until('the fault is met', met, { timeoutMs: 60_000, process: daemon.process });
  };

/** More inferred losses than may be made, so that some losses are held whatever else passes. */
const HIDDEN = (CLIENTS * 2) / 3;

const isWell = (world: World) => {
  world.idp.fault = undefined;
};

/** A page of the directory, of `pages` in all. */
function pageOf(path: string, { idp }: World, pages: number): { clients: IdpClient[]; page: number } {
  const all = [...idp.clients.values()];
  const page = Number(new URL(path, idp.url).searchParams.get('page') ?? 0);
  const size = Math.ceil(all.length / pages);
  return { clients: all.slice(page * size, (page + 1) * size), page };
}

const next = ({ directory }: World, page: number) => `${directory}?page=${page}`;

const half = (path: string, world: World): ScriptedAnswer => ({
  json: { clients: pageOf(path, world, 2).clients, single: true },
});

const row = (
  name: string,
  answer: (path: string, world: World) => ScriptedAnswer | undefined,
  more: Partial<Fault<World>> = {},
): Fault<World> => ({ name, begin: answers(answer), meanwhile: isMet(), end: isWell, ...more });

describeFaults('identity provider', startWorld, [
  {
    name: 'is away for 5 s',
    begin: ({ idpWay }) => idpWay.cut(),
    seconds: 5,
    end: ({ idpWay }) => idpWay.mend(),
  },
  {
    name: 'answers after 1 s',
    begin: ({ idpWay }) => {
      idpWay.delayMs = 500;
    },
    seconds: 5,
    end: ({ idpWay }) => {
      idpWay.delayMs = 0;
    },
  },
  row('answers 500', () => ({ status: 500, body: 'broken' })),
  row('answers 401', () => ({ status: 401, json: { error: 'invalid_token' } })),
  row('answers 429 with a time to wait', () => ({ status: 429, headers: { 'retry-after': '1' } }), {
    meanwhile: isMet(2, 'all'),
    seconds: 3,
  }),
  row('does not answer', () => ({ silent: true }), { meanwhile: isMet(1), seconds: 5 }),
  row('does not answer for 2 minutes', () => ({ silent: true }), { seconds: 120, soak: true }),
  row('breaks off within a page', (path, world) => {
    const { clients, page } = pageOf(path, world, 2);
    if (!isList(path)) return undefined;
    if (page === 0) return { json: { clients, single: true, next: next(world, 1) } };
    return { json: { clients, single: true }, cutOff: true };
  }),
  row('answers a second page with 500', (path, world) => {
    const { clients, page } = pageOf(path, world, 2);
    if (!isList(path)) return undefined;
    return page === 0 ? { json: { clients, single: true, next: next(world, 1) } } : { status: 500 };
  }),
  row('repeats the same cursor forever', (path, world) => {
    const { clients } = pageOf(path, world, 3);
    if (!isList(path)) return undefined;
    return { json: { clients, single: true, next: next(world, 1) } };
  }),
  row('answers with an empty list', (path) =>
    isList(path) ? { json: { clients: [], single: true } } : undefined,
  ),
  row(
    'lists half of its clients, and knows the others when asked for one',
    (path, world) => (isList(path) ? half(path, world) : undefined),
    {
      meanwhile: async (world) => {
        const before = await edgesOfConsul(world);
        await isMet(3)(world);
        const now = await edgesOfConsul(world);
        // What the change took is gone, and nothing else: half of the edges are still there.
        expect(now.size).toBeGreaterThan(before.size - 6);
      },
    },
  ),
  {
    name: 'answers with its old state after an event',
    begin: (world) => {
      const old = new Map(world.idp.clients);
      answers((path) => {
        if (isList(path)) return { json: { clients: [...old.values()], single: true } };
        const client = old.get(decodeURIComponent(path.split('/')[2] ?? ''));
        return client === undefined ? { status: 404, json: {} } : { json: client };
      })(world);
    },
    meanwhile: (world) => world.delivered(),
    end: isWell,
  },
]);

// In a world of its own: an event of an earlier row is evidence as long as its rechecks last, and what an event reports is
// no inference.
describeFaults('identity provider that lies', startWorld, [
  {
    name: 'knows only a third of its clients',
    begin: (world) => {
      // Clients that the change does not touch: no event is about them, so that their losses are inferred.
      const before = [...world.idp.clients.values()];
      const isHidden = ({ clientId }: IdpClient) =>
        before
          .filter((client) => world.idp.clients.get(client.clientId) === client)
          .slice(-HIDDEN)
          .some((client) => client.clientId === clientId);
      answers((path) => {
        const known = [...world.idp.clients.values()].filter((client) => !isHidden(client));
        if (isList(path)) return { json: { clients: known, single: true } };
        const asked = path.split('/')[2];
        return known.some(({ clientId }) => clientId === asked) ? undefined : { status: 404, json: {} };
      })(world);
    },
    meanwhile: async (world) => {
      const isHeld = async () => {
        const { holds } = await world.daemon.status();
        return holds.filter(({ reason }) => reason === 'RevocationLimit').length > 3;
      };
      await until('the removals are held', isHeld, { timeoutMs: 60_000, process: world.daemon.process });
    },
    end: isWell,
  },
]);
