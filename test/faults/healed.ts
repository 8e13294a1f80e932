import { expect } from 'vitest';
import type { Decision } from '../../src/model/decision.js';
import { bySubject, changeOf, changesOf, type Edges, edgesOfConsul } from '../e2e/crash-world.js';
import { digestForeign } from '../e2e/foreign.js';
import type { RecordedWrite } from '../e2e/recording-proxy.js';
import { until } from '../stack/process.js';
import { faultsOf, writesOf } from '../support/decisions.js';
import { desiredLogins, loginsOfConsul } from './logins.js';
import { isEqual, type World } from './world.js';

/** What was true before a fault, and what is seen of Consul while it lasts. */
export interface Watch {
  readonly foreign: Readonly<Record<string, string>>;
  readonly edges: Edges;
  readonly decisionIds: ReadonlySet<string>;
  readonly accepted: number;
  readonly acceptedAcl: number;
  readonly beganAt: number;
  /** Edges that let more through than any state of the identity provider since the watch began. */
  readonly tooWide: Set<string>;
  looks: number;
  end(): Promise<void>;
}

const LOOK_EVERY_MS = 50;

export async function beginWatch(world: World): Promise<Watch> {
  const edges = await edgesOfConsul(world);
  world.forget(edges);
  let isOver = false;
  const watch = {
    foreign: await digestForeign(world.consul),
    edges,
    decisionIds: new Set((await world.decisions()).map(({ id }) => id)),
    accepted: intentionWrites(world).length,
    acceptedAcl: aclWrites(world).length,
    beganAt: performance.now(),
    tooWide: new Set<string>(),
    looks: 0,
    end: async () => {
      isOver = true;
      await looking;
    },
  };
  const look = async () => {
    while (!isOver) {
      // A Consul that does not answer shows no access.
      const seen = await edgesOfConsul(world).catch(() => undefined);
      if (seen !== undefined) watch.looks++;
      for (const [edge, openings] of seen ?? []) noteWider(edge, openings, world, watch.tooWide);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  const looking = look();
  return watch;
}

export interface Expected {
  /** False where others change our edges, or where Consul forgets writes: then writes and decisions are only counted. */
  readonly exact?: boolean;
  /** True where the store forgets what it acknowledged, and with it decisions and the numbers of revisions. */
  readonly storeForgets?: boolean;
  /** Consul may answer that a write failed which it makes, so more writes have decisions than were accepted. */
  readonly answersFail?: boolean;
  readonly timeoutMs?: number;
}

/**
 * After a fault: Consul equals the identity provider, its logins too, no key is parked and nothing of ours is held, nothing
 * foreign changed, access was never wider than all states of the identity provider together, and every accepted write of an edge
 * has exactly one decision.
 */
export async function expectHealed(world: World, watch: Watch, expected: Expected = {}): Promise<string> {
  const { timeoutMs = 60_000 } = expected;
  const { daemon } = world;
  await world.delivered();
  await until('Consul equals the identity provider', () => isEqual(world), {
    timeoutMs,
    process: daemon.process,
  }).catch(() => {});
  const healedMs = performance.now() - watch.beganAt;
  expect(await edgesOfConsul(world)).toEqual(world.desired());
  await daemon.idle(timeoutMs);
  await until('nothing of ours is held', async () => (await heldOf(world)).length === 0, { timeoutMs }).catch(
    () => {},
  );
  expect(await heldOf(world)).toEqual([]);
  expect((await daemon.status()).parked).toEqual([]);
  await daemon.idle(timeoutMs);
  await watch.end();
  if (world.hasLogins)
    expect(await loginsOfConsul(world.consul)).toEqual(desiredLogins(world.idp.clients.values()));
  // A second plan is empty: the complete comparison that follows writes nothing.
  expect(await edgesOfConsul(world)).toEqual(world.desired());
  expect([...watch.tooWide]).toEqual([]);
  expect(watch.looks).toBeGreaterThan(0);
  expect(await digestForeign(world.consul)).toEqual(watch.foreign);

  const all = await world.decisions();
  if (expected.storeForgets !== true) expect(faultsOf(all)).toEqual([]);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  const fresh = all.filter(({ id }) => !watch.decisionIds.has(id));
  const applied = fresh.filter(
    ({ outcome, resource }) => outcome === 'applied' && resource.kind === 'intention',
  );
  const writes = intentionWrites(world).slice(watch.accepted);
  if (expected.answersFail === true) expect(writesOf(applied)).toBeGreaterThanOrEqual(writes.length);
  else if (expected.storeForgets !== true) expect(writesOf(applied)).toBe(writes.length);
  if (world.hasLogins) {
    // Consul removes a rule with its method by itself, without a request for the rule.
    const isAcl = ({ outcome, reason, resource }: Decision) =>
      outcome === 'applied' && reason !== 'RemovedWithParent' && resource.kind.startsWith('acl-');
    const objects = aclWrites(world).slice(watch.acceptedAcl);
    expect(writesOf(fresh.filter(isAcl))).toBe(objects.length);
  }
  if (expected.exact !== false) {
    const { changes, odd } = changesOf(writes, watch.edges);
    expect(odd).toEqual([]);
    expect(bySubject(applied.toSorted((a, b) => a.revision - b.revision).map(changeOf))).toEqual(
      bySubject(changes),
    );
    expect(fresh.filter(({ outcome }) => outcome === 'unknown')).toEqual([]);
  }
  const outcomes = new Map<string, number>();
  for (const { outcome, reason } of fresh) {
    const name = outcome === 'applied' ? 'applied' : `${outcome} ${reason}`;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
  }
  const counted = [...outcomes].map(([name, count]) => `${count} ${name}`).join(', ');
  return (
    `equal after ${(healedMs / 1000).toFixed(1)} s, ${writes.length} writes, ${watch.looks} looks at access, ` +
    `decisions: ${counted}`
  );
}

/** Writes of intentions that Consul accepted. */
function intentionWrites(world: World): readonly RecordedWrite[] {
  return world.way
    .accepted()
    .filter(
      ({ method, path, body }) =>
        path.startsWith('/v1/config/service-intentions/') ||
        (method === 'PUT' && path.startsWith('/v1/config?') && body.includes('"service-intentions"')),
    );
}

/** Writes of ACL objects that Consul accepted. */
function aclWrites(world: World): readonly RecordedWrite[] {
  const isObject = (path: string) => /^\/v1\/acl\/(policy|role|auth-method|binding-rule)\b/.test(path);
  return world.way.writes.filter(({ status, path }) => status === 200 && isObject(path));
}

async function heldOf(world: World) {
  const { holds } = await world.daemon.status();
  // The foreign entry that looks like ours is held from the start.
  return holds.filter(({ reason }) => reason !== 'ManagedElsewhere');
}

function noteWider(edge: string, openings: string, world: World, tooWide: Set<string>): void {
  if (openings === 'deny') return;
  const ever = world.everDesired.get(edge);
  for (const each of openings.split(', ')) if (!ever?.has(each)) tooWide.add(`${edge}: ${each}`);
}
